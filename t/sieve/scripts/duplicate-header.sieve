require "duplicate";
if duplicate :header "X-Event" :seconds 60 :last { discard; }
