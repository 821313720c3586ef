"""Whatever a person may do is one function here; API, command line and pages call these and nothing else.

Every action is `async def verb_noun(node, request) -> answer` with msgspec structs on both sides. Ids are
lower-case base32 in requests and answers, money is in minor units with its currency, times are `*_ms`.
"""
