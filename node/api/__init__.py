"""The node over HTTP: the JSON API, the lanes as tiles, health and metrics (PROTOCOL.md section 21).

A route names one action with its request and answer types; reading, checking, answering and the OpenAPI
document follow from those. Nothing here decides anything: whatever a person may do is in `node/actions`.
"""
