require ["vacation", "vacation-seconds"];
vacation :from "nobody" "x";
vacation :addresses ["a@example.com", "b"] "x";
vacation :days 2 :seconds 3 "x";
vacation :mime "Content-Type: text/plain; name=ä

text";
