require ["encoded-character", "fileinto", "mailbox", "special-use", "mailboxid", "vacation", "fcc",
    "reject"];
fileinto "${hex:ff}rop";
fileinto :specialuse "Junk" "x";
fileinto :mailboxid "a" :specialuse "\\Junk" "x";
vacation :create "away";
reject :fcc "Sent" "no";
