# SPDX-License-Identifier: Apache-2.0
# bash completion of vise: commands, their options, methods and recipe parameters, asked of vise
# itself; file names everywhere else.
_vise() {
  local vise=${COMP_WORDS[0]} command=${COMP_WORDS[1]}
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="$("$vise" help 2> /dev/null | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p') --help --version"
  elif [ "$before" = --method ]; then
    words=$("$vise" explain methods 2> /dev/null | sed -n 's/^  \([^ ]*\) .*/\1/p')
  elif [ "$command" = explain ]; then
    words=$("$vise" explain 2> /dev/null | sed -n 's/^  \([^ ]*\)  *[a-zA-Z].*/\1/p')
  elif [[ $word == -* ]]; then
    local i method=()
    for ((i = 2; i < COMP_CWORD; i++)); do
      [ "${COMP_WORDS[i]}" = --method ] && method=(--method "${COMP_WORDS[i + 1]}")
    done
    words=$("$vise" "$command" "${method[@]}" --help 2> /dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
  elif [ "$command" = bench ]; then
    words=$("$vise" bench 2> /dev/null | sed -n 's/^  \([^ ]*\) .*/\1/p')
  elif [ "$command" = runs ] && [ "$COMP_CWORD" -eq 2 ]; then
    words="show diff rm reindex"
  elif [ "$command" = recipe ] && [ "$COMP_CWORD" -eq 2 ]; then
    words="check show new"
  elif [[ $command == run || $command == sweep ]] && [ "$COMP_CWORD" -gt 2 ]; then
    words=$("$vise" recipe check "${COMP_WORDS[2]}" 2> /dev/null |
      sed -n '4,$s/^  \([a-z_0-9]*\) .*/\1=/p')
    compopt -o nospace
  fi
  [ -n "$words" ] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _vise vise
