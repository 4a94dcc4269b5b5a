(function_definition "def" @context name: (identifier) @name) @item
(class_definition "class" @context name: (identifier) @name) @item
(module (expression_statement (assignment left: (identifier) @name) @item))
