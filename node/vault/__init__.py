"""The community's own secrets on this machine: key files, API token, key box, emergency kit.

Live keys are random and lie in `keys/`, which only the node's user may read. What can replace them, the three
secrets of the recovery words, is shown once on the emergency kit and never stored.

    kit = found_community(folder, name={"en": "Green Market"}, currency="EUR", ...)
    vault = open_vault(folder)
    vault.log.sign(message)
"""

from node.vault.found import found_community
from node.vault.kit import Kit, entropy_of_words, kit_text
from node.vault.vault import Vault, has_vault, open_vault

__all__ = ["Kit", "Vault", "entropy_of_words", "found_community", "has_vault", "kit_text", "open_vault"]
