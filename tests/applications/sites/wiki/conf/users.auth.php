# users.auth.php
# <?php exit()?>
bob:$2y$05$w1APSgRhXp46CcE4ow28z.FpERoloQge/rIcTw2mcy6mYqgNFjZCK:Bob:bob@wiki.example:user
