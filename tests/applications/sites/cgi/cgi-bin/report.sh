#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a CGI program is given: its environment, its arguments, its content.  PATH_INFO asks for more.
case $PATH_INFO in
/missing) printf 'Status: 404 Not Found\nContent-Type: text/plain\n\nno such thing\n'; exit ;;
/local) printf 'Location: /index.html\n\n'; exit ;;
/away) printf 'Location: http://flask.example/\n\n'; exit ;;
/warns) echo 'the shell warns' >&2 ;;
/refused)
	printf 'Content-Type: text/plain\n\n'
	nice true 2>/dev/null; echo "nice=$?"
	touch "$TMPDIR/own"; chown selsock "$TMPDIR/own" 2>/dev/null; echo "chown=$?"
	rm "$TMPDIR/own"; exit ;;
esac
printf 'Content-Type: text/plain\n\n'
[ "$PATH_INFO" != /context ] || echo "context=$(tr -d '\000' </proc/self/attr/current)"
env | sort
echo "arguments=$#"
echo "content=$(wc -c)"
