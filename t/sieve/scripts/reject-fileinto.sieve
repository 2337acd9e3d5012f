require ["fileinto", "reject"];
fileinto "INBOX";
reject "no";
