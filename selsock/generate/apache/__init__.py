# SPDX-License-Identifier: Apache-2.0
"""From an Apache configuration to a ``vhost.yaml``: ``selsock-generate --import``.

``syntax`` (text to directives) → ``files`` (what it includes) → ``servers`` (what holds at a path) → ``access``,
``identities``, ``addresses``, ``contexts`` (what that means for rules) → ``sites`` → ``text``, all by ``convert``.  ``known`` has
what restricts nothing, ``report`` what is missing; ``maps`` is for a map of mod_selinux alone.  What can not be said exactly is left out where
that lets nobody in who was kept out; where it would, the location is closed.  Each directive that is not carried over is in
the list at the end.

The parser is our own: of those that are packaged, apacheconfig tells no line and is not kept up, and Augeas reads one file,
without what it includes, and fails where its grammar does.
"""
