require "extlists";
if header :list "from" ":addrbook:nobody" { discard; }
