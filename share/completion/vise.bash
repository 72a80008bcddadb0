# SPDX-License-Identifier: Apache-2.0
# bash completion of vise: commands, their options, methods and recipe parameters, asked of vise
# itself; file names everywhere else.

# What the option before the cursor accepts, by the help of the command: "one of a, b, c".
_vise_choices() {
  "$vise" "$command" $(_vise_method) --help 2> /dev/null | awk -v option="$before" '
    $1 ~ /^--/ { is_wanted = $1 == option }
    is_wanted { text = text " " $0 }
    END { if (match(text, /one of [^;()]*/)) {
            text = substr(text, RSTART + 7, RLENGTH - 7); gsub(/,/, " ", text); print text } }'
}

# --method and --format as they were given, for the options that they bring.
_vise_method() {
  local i
  for ((i = 2; i < COMP_CWORD - 1; i++)); do
    case ${COMP_WORDS[i]} in
      --method | --format) echo "${COMP_WORDS[i]} ${COMP_WORDS[i + 1]}" ;;
    esac
  done
}

_vise() {
  local vise=${COMP_WORDS[0]} command=${COMP_WORDS[1]}
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="$("$vise" help 2> /dev/null | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p') --help --version"
  elif [[ $before == --* && $word != -* ]] && words=$(_vise_choices) && [ -n "$words" ]; then
    :
  elif [ "$command" = explain ]; then
    words=$("$vise" explain 2> /dev/null | sed -n 's/^  \([^ ]*\)  *[a-zA-Z].*/\1/p')
  elif [[ $word == -* ]]; then
    words=$("$vise" "$command" $(_vise_method) --help 2> /dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
  elif [ "$command" = help ]; then
    words=$("$vise" help 2> /dev/null | sed -n 's/^  \([a-z]*\)  *[a-zA-Z].*/\1/p')
  elif [ "$command" = corpus ]; then
    words=$("$vise" corpus 2> /dev/null | sed -n 's/^  \([^ ]*\) .*/\1/p')
  elif [ "$command" = bench ]; then
    words=$("$vise" bench 2> /dev/null | sed -n 's/^  \([^ ]*\) .*/\1/p')
  elif [ "$command" = runs ] && [ "$COMP_CWORD" -eq 2 ]; then
    words="show diff rm reindex"
  elif [ "$command" = recipe ] && [ "$COMP_CWORD" -eq 2 ]; then
    words="check show new"
  elif [[ $command =~ ^(run|sweep|bundle|reproduce)$ ]] && [ "$COMP_CWORD" -gt 2 ]; then
    words=$("$vise" recipe check "${COMP_WORDS[2]}" 2> /dev/null |
      sed -n '4,$s/^  \([a-z_0-9]*\) .*/\1=/p')
    compopt -o nospace
  fi
  [ -n "$words" ] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _vise vise
