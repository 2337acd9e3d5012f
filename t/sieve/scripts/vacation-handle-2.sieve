require "vacation";
vacation :handle "h" "Another text";
