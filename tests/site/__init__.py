"""Makes what the documentation site does not hold as text: the reference of commands, registries and the API.

A page of ``docs/`` names it as ``<!-- generated: NAME -->``; ``tests.site.generated.GENERATED`` has every NAME.
"""
