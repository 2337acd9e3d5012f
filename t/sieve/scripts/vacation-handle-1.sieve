require "vacation";
vacation :handle "h" "One text";
