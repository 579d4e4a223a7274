# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for kab(1). Verbs, options and what they take are read off kab's own --help, so
# that nothing here has to follow the program.
#
#   . docs/completion/kab.bash        in a clone; "make install" puts it where bash finds it

# The folder that holds matrix/ and kernel-patch/: of the clone the program was built in, or installed.
_kab_home() {
	local program folder
	program=$(type -P "$1") || return
	folder=$(cd "$(dirname "$program")/.." 2>/dev/null && pwd) || return
	if [[ -n $KAB_HOME ]]; then
		echo "$KAB_HOME"
	elif [[ -d $folder/matrix ]]; then
		echo "$folder"
	else
		echo "$folder/share/kab"
	fi
}

_kab_runs() {
	local folder run
	for folder in "$KAB_RESULTS" results "$(_kab_home "$1")/results"; do
		[[ -n $folder ]] || continue
		for run in "$folder"/*/run.json; do
			[[ -e $run ]] && echo "${run%/run.json}"
		done
	done | sort -u
}

# Matrix files that are here, and those that came with kab.
_kab_matrices() {
	local home
	home=$(_kab_home "$1")
	compgen -G '*.yaml'
	if [[ $home == "$PWD" ]]; then
		compgen -G 'matrix/*.yaml'
		compgen -G 'matrix/seeds/*.yaml'
	else
		compgen -G "$home/matrix/*.yaml"
		compgen -G "$home/matrix/seeds/*.yaml"
	fi
}

# Labels of the arms of a run's folder or of a matrix file. In the latter they are what is indented
# below "arms:".
_kab_arms() {
	if [[ -f $1/run.json ]]; then
		sed -n 's/^ *"label": "\([^"]*\)".*/\1/p' "$1/run.json"
	elif [[ -f $1 ]]; then
		sed -n '/^arms:/,/^[^ #]/s/^  \([A-Za-z0-9][A-Za-z0-9._+-]*\):.*/\1/p' "$1"
	fi | sort -u
}

_kab_cells() {
	[[ -f $1/samples.jsonl ]] &&
		sed 's/.*"cell": *"\([^"]*\)".*/\1/' "$1/samples.jsonl" | sort -u
}

# _kab_values PROGRAM OPTION WORD OPERAND: what WORD, a word of the usage such as "RUN", stands for.
_kab_values() {
	local home
	home=$(_kab_home "$1")
	case $2 in
	--series) compgen -W "$(ls "$home/kernel-patch/series" 2>/dev/null)" ;;
	--config) ls "$home/kernel-patch/config" 2>/dev/null | sed -n 's/\.config$//p' ;;
	--fail-on) compgen -W 'regression failed unclear none' ;;
	--correction) compgen -W 'holm bh' ;;
	--mutation)
		(cd "$home/kernel-patch/series" 2>/dev/null && compgen -G '*/mutations/*.patch') |
			sed 's,/mutations/,/,; s,\.patch$,,'
		;;
	esac
	case $3 in
	*MATRIX*) _kab_matrices "$1" ;;&
	*RUN*) _kab_runs "$1" ;;&
	ARM) _kab_arms "$4" ;;
	CELL) _kab_cells "$4" ;;
	esac
}

# _kab_argument HELP OPTION: the word for what OPTION takes, such as "DIR"; nothing if it takes nothing.
_kab_argument() {
	awk -v option="$2" '/^ +-/ {
		gsub(",", "")
		name = $1 ~ /^-[a-zA-Z]$/ ? 2 : 1
		if (($1 == option || $name == option) && $(name + 1) ~ /^[A-Z][A-Z0-9\/]*$/)
			print $(name + 1)
	}' <<<"$1"
}

_kab_takes_files() {
	case $1 in
	*MATRIX* | *RUN* | *DIR* | *FILE* | *SERIES* | *BASE* | *TREE* | BEFORE | AFTER) return 0 ;;
	esac
	return 1
}

_kab() {
	local line=${COMP_LINE:0:COMP_POINT} program=$1 help cur verb word option= cut i n=0
	local -a words operands=() list=()

	# Not bash's own words: cells have '=' and series ':' in them, at which it cuts.
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	cur=${words[${#words[@]} - 1]}
	verb=${words[1]}
	COMPREPLY=()
	if ((${#words[@]} <= 2)); then
		mapfile -t COMPREPLY < <(compgen -W "--help --version $("$program" --help 2>/dev/null |
			sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$cur")
		return
	fi
	help=$("$program" "$verb" --help 2>/dev/null) || return

	# Operands before this word, and the option that it belongs to, if to any.
	for ((i = 2; i < ${#words[@]} - 1; i++)); do
		if [[ ${words[i]} != -* ]]; then
			operands+=("${words[i]}")
			continue
		fi
		word=$(_kab_argument "$help" "${words[i]}")
		[[ -n $word ]] && ((++i == ${#words[@]} - 1)) && option=${words[i - 1]}
	done
	if [[ -z $option && $cur == --*=* ]]; then
		option=${cur%%=*}
		cur=${cur#*=}
		word=$(_kab_argument "$help" "$option")
	elif [[ -z $option ]]; then
		# The word of the usage in this operand's place: "usage: kab show RUN [CELL]".
		word=$(sed -n '1s/^usage: kab [a-z]* *//p' <<<"$help" | tr -d '[]')
		n=${#operands[@]}
		read -ra list <<<"$word"
		word=${list[n]}
		list=()
	fi
	if [[ -z $option && $verb == kernel ]]; then
		((n == 0)) && list=(build path list clean)
		((n == 1)) && word=MATRIX
		((n == 2)) && word=ARM && operands=("${operands[1]}")
	fi
	if [[ -z $option && $cur == -* ]]; then
		list=($(grep -oE -- '(^|[ ,])--[a-z][a-z-]+' <<<"$(sed -n '/^ /p' <<<"$help" | cut -c 1-26)" |
			tr -d ' ,'))
	else
		mapfile -t -O "${#list[@]}" list < <(_kab_values "$program" "$option" "$word" "${operands[0]}")
	fi
	mapfile -t COMPREPLY < <(printf '%s\n' "${list[@]}" | grep -F -- "$cur" |
		while IFS= read -r i; do [[ $i == "$cur"* ]] && printf '%s\n' "$i"; done)
	if [[ $cur != -* ]] && _kab_takes_files "$word"; then
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
		mapfile -t COMPREPLY < <(printf '%s\n' "${COMPREPLY[@]}" | sort -u | sed '/^$/d')
		compopt -o filenames 2>/dev/null
	fi
	# bash takes what stands behind the last of these for the word.
	cut=${cur%"${cur##*[=:]}"}
	COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}

complete -F _kab kab
