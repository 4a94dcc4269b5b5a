(comment) @comment
(string) @string
(escape_sequence) @string.escape
(integer) @number
(float) @number
[(true) (false)] @boolean
(none) @constant.builtin

(call function: (identifier) @function)
(call function: (attribute attribute: (identifier) @function))
((call function: (identifier) @type) (#match? @type "^[A-Z]"))
(function_definition name: (identifier) @function)
(class_definition name: (identifier) @type)
(keyword_argument name: (identifier) @property)
((identifier) @constant (#match? @constant "^[A-Z][A-Z0-9_]+$"))

["def" "class" "lambda" "if" "elif" "else" "for" "while" "in" "not" "and" "or" "is" "return" "import" "from" "as"] @keyword
(pass_statement) @keyword
(break_statement) @keyword
(continue_statement) @keyword

["=" "==" "!=" "<" ">" "<=" ">=" "+" "-" "*" "/" "//" "%" "**"] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," "." ":"] @punctuation.delimiter
