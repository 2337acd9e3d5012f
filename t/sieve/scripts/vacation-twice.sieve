require "vacation";
vacation "One";
vacation :handle "2" "Two";
