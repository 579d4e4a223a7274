# SPDX-License-Identifier: GPL-2.0-or-later
# What Tab offers, asked of the completion itself. Prints what is wrong; exits 1 then. In a clone's root;
# the first argument is the folder of a build.
kab=$1/kab
export KAB_RESULTS=
. docs/completion/kab.bash
bad=0

# offers LINE: what is offered at its end, one a line.
offers() {
	COMP_LINE=$1
	COMP_POINT=${#1}
	COMPREPLY=()
	_kab "$kab"
	printf '%s\n' "${COMPREPLY[@]}"
}

# expect LINE WORD...: each word is offered.
expect() {
	local line=$1 got word
	got=$(offers "$line")
	shift
	for word; do
		grep -qxF -e "$word" <<<"$got" && continue
		echo "'$line' does not offer '$word' but: $(tr '\n' ' ' <<<"$got")"
		bad=1
	done
}

# refuse LINE WORD: the word is not offered.
refuse() {
	offers "$1" | grep -qxF -e "$2" && {
		echo "'$1' offers '$2'"
		bad=1
	}
}

# All verbs, and of each verb all options that its --help has.
verbs=$("$kab" --help | awk '/^  [a-z]/ { print $1 }')
expect "kab " $verbs
for v in $verbs; do
	expect "kab $v -" $("$kab" "$v" --help | grep -oE -- '^ +(-[a-z], )?--[a-z][a-z-]+' | tr -d ',' | awk '{ print $NF }')
done
expect "kab comp" compare
refuse "kab comp" run
expect "kab run ma" matrix/quick.yaml matrix/seeds/exact.yaml
expect "kab run --new matrix/q" matrix/quick.yaml
expect "kab compare " results/reference
expect "kab show results/reference " localcpu pipe/mode=process
expect "kab show results/reference pipe/mode=p" process # bash's own word starts after '='
refuse "kab show results/reference pipe/mode=p" thread
expect "kab compare results/reference --baseline " stock patched
expect "kab compare results/reference --baseline=s" stock
refuse "kab compare results/reference --baseline=s" patched
expect "kab compare --fail-on " none
expect "kab kernel " build list path clean
expect "kab kernel build matrix/default.yaml " stock patched
expect "kab kernel build --series " vm-local-cpu
expect "kab kernel build --config " lockdep
expect "kab kernel build --mutation vm-local-cpu/" $(cd kernel-patch/series && ls -d vm-local-cpu/mutations/*.patch | sed 's,mutations/,,; s,\.patch$,,')
expect "kab schedstat READ" README.md
expect "kab report -o do" docs
expect "kab report --out do" docs
expect "kab compare --alpha 0.01 " results/reference
refuse "kab run --blocks " matrix/quick.yaml
exit $bad
