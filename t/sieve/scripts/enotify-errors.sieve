require "enotify";
notify "xmpp:a@example.net";
notify "mailto:nobody";
notify :importance "4" "mailto:a@example.net";
notify :options "x" "mailto:a@example.net";
notify :from "me" "mailto:a@example.net";
