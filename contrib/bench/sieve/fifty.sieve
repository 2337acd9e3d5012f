# Fifty rules of the kinds that people have: lists, senders, subjects, sizes, recipients.
# Each looks at a message that none before it took.
require ["fileinto", "envelope"];

# 1
if header :contains "List-Id" "<sieve.ietf.org>" {
	fileinto "Lists.sieve";
	stop;
}

# 2
if header :contains "List-Id" "<imapext.ietf.org>" {
	fileinto "Lists.imapext";
	stop;
}

# 3
if header :contains "List-Id" "<debian-devel.lists.debian.org>" {
	fileinto "Lists.debian-devel";
	stop;
}

# 4
if header :contains "List-Id" "<debian-user.lists.debian.org>" {
	fileinto "Lists.debian-user";
	stop;
}

# 5
if header :contains "List-Id" "<git.vger.kernel.org>" {
	fileinto "Lists.git";
	stop;
}

# 6
if header :contains "List-Id" "<linux-kernel.vger.kernel.org>" {
	fileinto "Lists.linux-kernel";
	stop;
}

# 7
if header :contains "List-Id" "<python-list.python.org>" {
	fileinto "Lists.python-list";
	stop;
}

# 8
if header :contains "List-Id" "<rust-users.lists.example>" {
	fileinto "Lists.rust-users";
	stop;
}

# 9
if header :contains "List-Id" "<tz.iana.org>" {
	fileinto "Lists.tz";
	stop;
}

# 10
if header :contains "List-Id" "<announce.example.net>" {
	fileinto "Lists.announce";
	stop;
}

# 11
if address :is "From" ["boss@work.example", "boss.office@work.example",
    "boss2@work.example"] {
	fileinto "Work";
	stop;
}

# 12
if address :is "From" ["anna@friends.example", "anna.office@friends.example",
    "anna2@friends.example"] {
	fileinto "Friends";
	stop;
}

# 13
if address :is "From" ["bank@money.example", "bank.office@money.example",
    "bank2@money.example"] {
	fileinto "Money";
	stop;
}

# 14
if address :is "From" ["shop@orders.example", "shop.office@orders.example",
    "shop2@orders.example"] {
	fileinto "Orders";
	stop;
}

# 15
if address :is "From" ["airline@travel.example", "airline.office@travel.example",
    "airline2@travel.example"] {
	fileinto "Travel";
	stop;
}

# 16
if address :is "From" ["school@family.example", "school.office@family.example",
    "school2@family.example"] {
	fileinto "Family";
	stop;
}

# 17
if address :is "From" ["club@club.example", "club.office@club.example",
    "club2@club.example"] {
	fileinto "Club";
	stop;
}

# 18
if address :is "From" ["doctor@health.example", "doctor.office@health.example",
    "doctor2@health.example"] {
	fileinto "Health";
	stop;
}

# 19
if address :is "From" ["tax@money.example", "tax.office@money.example",
    "tax2@money.example"] {
	fileinto "Money";
	stop;
}

# 20
if address :is "From" ["landlord@home.example", "landlord.office@home.example",
    "landlord2@home.example"] {
	fileinto "Home";
	stop;
}

# 21
if header :contains "Subject" ["invoice", "re: invoice", "fwd: invoice"] {
	fileinto "Money";
	stop;
}

# 22
if header :contains "Subject" ["your order", "re: your order", "fwd: your order"] {
	fileinto "Orders";
	stop;
}

# 23
if header :contains "Subject" ["newsletter", "re: newsletter", "fwd: newsletter"] {
	fileinto "News";
	stop;
}

# 24
if header :contains "Subject" ["unsubscribe now", "re: unsubscribe now", "fwd: unsubscribe now"] {
	fileinto "Junk";
	stop;
}

# 25
if header :contains "Subject" ["[jira]", "re: [jira]", "fwd: [jira]"] {
	fileinto "Jira";
	stop;
}

# 26
if header :contains "Subject" ["[ci]", "re: [ci]", "fwd: [ci]"] {
	fileinto "CI";
	stop;
}

# 27
if header :contains "Subject" ["out of office", "re: out of office", "fwd: out of office"] {
	fileinto "Auto";
	stop;
}

# 28
if header :contains "Subject" ["delivery status", "re: delivery status", "fwd: delivery status"] {
	fileinto "Bounces";
	stop;
}

# 29
if header :contains "Subject" ["meeting request", "re: meeting request", "fwd: meeting request"] {
	fileinto "Calendar";
	stop;
}

# 30
if header :contains "Subject" ["password reset", "re: password reset", "fwd: password reset"] {
	fileinto "Accounts";
	stop;
}

# 31
if anyof (address :domain :is "From" "facebookmail.example",
    address :domain :is "Sender" "facebookmail.example",
    header :contains "Return-Path" "@facebookmail.example") {
	fileinto "Social.facebookmail";
	stop;
}

# 32
if anyof (address :domain :is "From" "linkedin.example",
    address :domain :is "Sender" "linkedin.example",
    header :contains "Return-Path" "@linkedin.example") {
	fileinto "Social.linkedin";
	stop;
}

# 33
if anyof (address :domain :is "From" "twitter.example",
    address :domain :is "Sender" "twitter.example",
    header :contains "Return-Path" "@twitter.example") {
	fileinto "Social.twitter";
	stop;
}

# 34
if anyof (address :domain :is "From" "github.example",
    address :domain :is "Sender" "github.example",
    header :contains "Return-Path" "@github.example") {
	fileinto "Social.github";
	stop;
}

# 35
if anyof (address :domain :is "From" "gitlab.example",
    address :domain :is "Sender" "gitlab.example",
    header :contains "Return-Path" "@gitlab.example") {
	fileinto "Social.gitlab";
	stop;
}

# 36
if header :matches "Subject" "*[BUG]*" {
	fileinto "Bugs";
	stop;
}

# 37
if header :matches "Subject" "Cron <*@*>*" {
	fileinto "Cron";
	stop;
}

# 38
if header :matches "Subject" "*failed*build*" {
	fileinto "CI";
	stop;
}

# 39
if header :matches "Subject" "Re: *patch*v?*" {
	fileinto "Patches";
	stop;
}

# 40
if header :matches "Subject" "*backup*finished*" {
	fileinto "Backups";
	stop;
}

# 41
if allof (address :localpart :is ["To", "Cc"] "sales",
    not address :domain :is "From" "own.example",
    size :under 500K) {
	fileinto "Role.sales";
	stop;
}

# 42
if allof (address :localpart :is ["To", "Cc"] "info",
    not address :domain :is "From" "own.example",
    size :under 500K) {
	fileinto "Role.info";
	stop;
}

# 43
if allof (address :localpart :is ["To", "Cc"] "webmaster",
    not address :domain :is "From" "own.example",
    size :under 500K) {
	fileinto "Role.webmaster";
	stop;
}

# 44
if allof (address :localpart :is ["To", "Cc"] "abuse",
    not address :domain :is "From" "own.example",
    size :under 500K) {
	fileinto "Role.abuse";
	stop;
}

# 45
if allof (address :localpart :is ["To", "Cc"] "support",
    not address :domain :is "From" "own.example",
    size :under 500K) {
	fileinto "Role.support";
	stop;
}

# 46
if header :is "X-Spam-Flag" "YES" {
	fileinto "Junk";
	stop;
}

# 47
if header :contains ["X-Priority", "Importance"] ["1 (Highest)", "high-urgent"] {
	fileinto "Urgent";
	stop;
}

# 48
if envelope :all :is "from" "mailer-daemon@own.example" {
	fileinto "Bounces";
	stop;
}

# 49
if allof (exists "X-Mailing-Campaign", not exists "List-Id") {
	fileinto "Bulk";
	stop;
}

# 50
if size :over 20M {
	fileinto "Large";
	stop;
}

keep;
