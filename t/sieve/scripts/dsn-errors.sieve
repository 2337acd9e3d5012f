require ["envelope", "envelope-dsn", "envelope-deliverby", "redirect-dsn", "redirect-deliverby"];
if envelope :localpart "envid" "x" { keep; }
if envelope :zone "UTC" "bytimeabsolute" "x" { keep; }
redirect :notify "NEVER,DELAY" "a@example.com";
redirect :ret "ALL" "a@example.com";
redirect :bymode "notify" "a@example.com";
redirect :bytimeabsolute "tomorrow" "a@example.com";
redirect :bytimerelative 60 :bytimeabsolute "2030-01-01T00:00:00Z" "a@example.com";
