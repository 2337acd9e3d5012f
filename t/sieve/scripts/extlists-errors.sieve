require "extlists";
if header :list "from" "no list" { keep; }
if header :list :comparator "i;octet" "from" ":addrbook:default" { keep; }
redirect :list "friends";
