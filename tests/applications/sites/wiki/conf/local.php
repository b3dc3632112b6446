<?php
$conf['title'] = 'Wiki';
$conf['savedir'] = '/srv/vhosts/wiki/data';
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
$conf['updatecheck'] = 0;
$conf['send404'] = 1;
