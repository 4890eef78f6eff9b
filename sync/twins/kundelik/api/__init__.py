"""The journal's API, v2: the addresses the public clients of Kundelik and dnevnik.ru use."""
