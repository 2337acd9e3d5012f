# bash completion for mansioctl: the program itself names its commands.
_mansioctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i word typed=""

	case $prev in
	--config|--socket|import|deliver)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	defaults)
		mapfile -t COMPREPLY < <(compgen -W "sample man" -- "$cur")
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "--config --json --socket" -- "$cur")
		return
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--config|--socket) i=$((i + 1)) ;;
		-*) ;;
		*) typed+="$word " ;;
		esac
	done
	# What follows the words typed so far, one word of it.
	mapfile -t COMPREPLY < <(compgen -W "$(mansioctl help --words 2>/dev/null |
		awk -v typed="$typed" 'index($0 " ", typed) == 1 {
			split(substr($0, length(typed) + 1), w, " "); if (w[1] != "") print w[1] }' |
		sort -u)" -- "$cur")
}
complete -F _mansioctl mansioctl
