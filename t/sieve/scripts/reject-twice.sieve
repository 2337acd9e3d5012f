require ["ereject", "reject"];
ereject "no";
reject "no";
