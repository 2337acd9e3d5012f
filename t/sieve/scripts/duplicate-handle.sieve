require "duplicate";
if duplicate :handle "other" { discard; }
