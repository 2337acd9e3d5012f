require ["fileinto", "imap4flags", "vacation", "envelope"];

# Newsletters land in their own folder.
if header :contains "List-Id" "@" {
  fileinto "INBOX/Newsletters";
  stop;
}

# Tag and route monitoring alerts.
if envelope :is "from" "[email protected]" {
  addflag "\\Flagged";
  fileinto "INBOX/Alerts";
  stop;
}

# Out-of-office reply, once per sender per week.
vacation :days 7
  "I am away until Monday. Will reply on return.";
