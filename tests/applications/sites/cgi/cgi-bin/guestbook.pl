#!/usr/bin/perl -T
# SPDX-License-Identifier: Apache-2.0
# A guest book with CGI.pm: a form, a cookie, an upload.
use strict;
use warnings;
use CGI qw(-utf8);
use Encode qw(decode);
use Fcntl qw(:flock);

# Under -T, File::Spec takes no directory of the environment's, and would put uploads into /tmp.
($ENV{TMPDIR}) = $ENV{TMPDIR} =~ m{\A(/[\w/]+)\z} or die 'no TMPDIR';
my $cgi = CGI->new;
my ($book) = $ENV{GUESTBOOK} =~ m{\A([\w/]+)\z} or die "no GUESTBOOK";
if ($cgi->request_method eq 'POST') {
    my $name = $cgi->param('name') // '';
    my $size = 0;
    if (my $file = $cgi->upload('photo')) {
        while (read $file, my $part, 65536) { $size += length $part }
    }
    open my $out, '>>:encoding(UTF-8)', $book or die "guest book: $!";
    flock $out, LOCK_EX or die "lock: $!";
    print $out "$name, $size bytes\n";
    close $out or die "guest book: $!";
    my $cookie = $cgi->cookie(-name => 'guest', -value => $name);
    print $cgi->redirect(-uri => '/cgi-bin/guestbook.pl', -status => 303, -cookie => $cookie);
    exit;
}
print $cgi->header(-type => 'text/plain', -charset => 'utf-8');
binmode STDOUT, ':encoding(UTF-8)';
printf "welcome %s\n", decode('UTF-8', $cgi->cookie('guest') // 'stranger');
if (open my $in, '<:encoding(UTF-8)', $book) { print while <$in> }
