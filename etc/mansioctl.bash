# bash completion for mansioctl: the program itself names its commands and their options.
_mansioctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i word typed=""

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--config|--socket) i=$((i + 1)) ;;
		-*) ;;
		*) typed+="$word " ;;
		esac
	done
	if [[ $prev == --config || $prev == --socket || $prev == import ||
	    ( $typed =~ ^deliver\ [^\ ]+\ $ && $cur != -* ) || $prev == --include ||
	    ( $typed =~ ^sieve\ (check|run|trace)\  && $cur != -* ) ||
	    ( $typed =~ ^sieve\ put\ [^\ ]+\ [^\ ]+\ $ && $cur != -* ) ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	if [[ $prev == defaults ]]; then
		mapfile -t COMPREPLY < <(compgen -W "sample man" -- "$cur")
		return
	fi
	if [[ $cur == -* ]]; then
		# of the command whose name the typed words begin with
		mapfile -t COMPREPLY < <(compgen -W "--config --json --socket $(
			[[ -z $typed ]] || mansioctl help "${typed%% *}" 2>/dev/null |
			awk -v typed="$typed" '{
				name = $1 " " ($2 ~ /^[a-z][a-z-]*$/ ? $2 " " : "")
				if (substr($0, 1, 3) ~ /^  [a-z]/ && index(typed, name) == 1)
					while (match($0, /--[a-z-]+/)) {
						print substr($0, RSTART, RLENGTH)
						$0 = substr($0, RSTART + RLENGTH)
					}
			}')" -- "$cur")
		return
	fi
	# What follows the words typed so far, one word of it.
	mapfile -t COMPREPLY < <(compgen -W "$(mansioctl help --words 2>/dev/null |
		awk -v typed="$typed" 'index($0 " ", typed) == 1 {
			split(substr($0, length(typed) + 1), w, " "); if (w[1] != "") print w[1] }' |
		sort -u)" -- "$cur")
}
complete -F _mansioctl mansioctl
