-- Edits .aurora files in a real Neovim as a person does: with keys. Neovim runs this file and starts
-- another Neovim as its child, whose screen it is; that one has the set-up of `docs/editors.md`.
--
--     INIT=init.lua FOLDER=/empty/folder nvim --headless -u NONE -i NONE -n -c 'luafile neovim.lua'
--
-- It ends with 0 if all was as it should be, or else says what was not.

local folder = vim.env.FOLDER
local patience_ms = 30000

local function fail(what)
  io.stderr:write("\n" .. what .. "\n")
  vim.cmd("cquit 1")
end

-- A Neovim that waits for a key answers nothing, and would hold up the test for ever.
local watchdog = vim.loop.new_timer()
watchdog:start(5 * patience_ms, 0, function()
  io.stderr:write("\nNeovim does not answer\n")
  os.exit(1)
end)

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

local child

local function call(name, ...)
  if vim.rpcrequest(child, "nvim_get_mode").blocking then
    error("Neovim waits for a key before it goes on", 0)
  end
  return vim.rpcrequest(child, "nvim_" .. name, ...)
end

-- Runs Lua in the child.
local function lua(code, ...)
  local found = call("exec_lua", code, { ... })
  -- Nothing comes as a value of its own, which counts as true.
  return found ~= vim.NIL and found or nil
end

local function keys(text)
  call("input", text)
end

local function screen()
  local buffer = table.concat(call("buf_get_lines", 0, 0, -1, false), "\n")
  local problems = vim.inspect(lua("return vim.diagnostic.get(0)"))
  return ("%s\nmode %s\n%s\n%s"):format(buffer, call("get_mode").mode, problems, call("exec", "messages", true))
end

local function wait(what, look)
  local found
  if not vim.wait(patience_ms, function()
    found = look()
    return found
  end, 20) then
    error(("waited in vain: %s\n%s"):format(what, screen()), 0)
  end
  return found
end

local function expect(what, is)
  if not is then
    error(("%s: is not so\n%s"):format(what, screen()), 0)
  end
end

local function lines()
  return call("buf_get_lines", 0, 0, -1, false)
end

local function text()
  return table.concat(lines(), "\n")
end

-- Puts the cursor on a text, plus some columns.
local function go(wanted, plus)
  for at, line in ipairs(lines()) do
    local column = line:find(wanted, 1, true)
    if column then
      call("win_set_cursor", 0, { at, column - 1 + (plus or 0) })
      return
    end
  end
  error("there is no " .. wanted .. " in\n" .. text(), 0)
end

local function problems()
  return lua("return vim.diagnostic.get(0)")
end

-- The words of the menu of completion, once it is there with one of them.
local function menu(word)
  return wait("completion of " .. word, function()
    local words = {}
    if call("call_function", "pumvisible", {}) == 1 then
      for _, item in ipairs(call("call_function", "complete_info", { { "items" } }).items) do
        table.insert(words, item.abbr ~= "" and item.abbr or item.word)
      end
    end
    return vim.tbl_contains(words, word) and words
  end)
end

local hello = [[
include("common.aurora")

hello = Process(name="hello", cmdline="echo {{mesos.instance}}")

jobs = [
  Service(
    cluster="devcluster",
    role="www-data",
    environment="prod",
    name="hello",
    task=Task(processes=[hello], resources=small),
  ),
]
]]

local function test()
  write("common.aurora", "small = Resources(cpu=0.1, ram=16*MB, disk=16*MB)\n")
  write("hello.aurora", hello)
  vim.fn.mkdir(folder .. "/.git")
  child = vim.fn.jobstart({ vim.v.progpath, "--embed", "--headless", "-u", vim.env.INIT, "-i", "NONE", "-n" }, {
    rpc = true,
    cwd = folder,
  })
  expect("Neovim starts", child > 0)

  -- Open.
  call("command", "edit hello.aurora")
  expect("the kind of the file is known", call("buf_get_option", 0, "filetype") == "aurora")
  wait("the server", function()
    return lua([[
      local get = vim.lsp.get_clients or vim.lsp.buf_get_clients
      for _, client in pairs(vim.lsp.get_clients and get({ bufnr = 0 }) or get(0)) do
        return client.name == "aurora" and client.initialized
      end]])
  end)
  local root = lua([[
    local get = vim.lsp.get_clients or vim.lsp.buf_get_clients
    for _, client in pairs(vim.lsp.get_clients and get({ bufnr = 0 }) or get(0)) do
      return client.config.root_dir
    end]])
  expect("the root is the folder with .git, not " .. tostring(root), vim.loop.fs_realpath(root) == vim.loop.fs_realpath(folder))

  -- Type a mistake, see it told; take it back, see it go.
  keys('Gowrong = Process(nme="x", cmdline="true")<Esc>')
  local problem = wait("a problem", function()
    for _, problem in ipairs(problems()) do
      if problem.lnum == 13 and problem.message:find("nme", 1, true) then
        return problem
      end
    end
  end)
  expect("a problem is an error with code and source", problem.severity == 1 and problem.code and problem.source)
  expect("it is marked where it is", problem.col == #"wrong = Process(" and problem.end_col == problem.col + #'nme="x"')
  keys("u")
  wait("no problem", function()
    return #problems() == 0
  end)

  -- Complete: a field, and a name within a text.
  keys("Goextra = Process(<C-x><C-o>")
  menu("name")
  keys("<C-e><Esc>S" .. 'extra = Process(name="extra", cmdline="echo {{mesos.<C-x><C-o>')
  menu("instance")
  keys("<C-y>")
  wait("the completion is taken", function()
    return text():find("{{mesos.instance", 1, true) and call("call_function", "pumvisible", {}) == 0
  end)
  keys("<Esc>dd")

  -- Ask what something is.
  go("Process(", 1)
  call("command", "lua vim.lsp.buf.hover()")
  wait("what a Process is", function()
    for _, window in ipairs(call("list_wins")) do
      if call("win_get_config", window).relative ~= "" then
        local shown = call("buf_get_lines", call("win_get_buf", window), 0, -1, false)
        return table.concat(shown, "\n"):find("cmdline", 1, true)
      end
    end
  end)

  -- Go to where a name comes from, and back.
  go("resources=small", #"resources=")
  call("command", "lua vim.lsp.buf.definition()")
  wait("the other file", function()
    return call("buf_get_name", 0):match("common%.aurora$") and call("win_get_cursor", 0)[1] == 1
  end)
  keys("<C-o>")
  wait("the first file", function()
    return call("buf_get_name", 0):match("hello%.aurora$")
  end)

  -- Give a name another one, in both files.
  go("resources=small", #"resources=")
  call("command", "lua vim.lsp.buf.rename('little')")
  wait("the new name", function()
    return text():find("resources=little", 1, true)
  end)
  expect("it is new in the other file", lua([[
    return vim.fn.getbufline(vim.fn.bufnr("common.aurora"), 1)[1] ]]):find("^little = ") ~= nil)

  -- Lay the text out anew.
  go('cluster="devcluster"')
  keys("0dw")
  wait("a line at the wrong place", function()
    return text():find('\ncluster="devcluster"', 1, true)
  end)
  lua([[
    if vim.lsp.buf.format then
      vim.lsp.buf.format()
    else
      vim.lsp.buf.formatting_sync()
    end]])
  expect("it is as before", text() .. "\n" == (hello:gsub("small", "little")))

  -- Nothing is left of it, and nothing was complained of.
  call("command", "wall")
  local servers = lua([[
    local pids = {}
    for _, pid in ipairs(vim.api.nvim_get_proc_children(vim.fn.getpid())) do
      table.insert(pids, pid)
    end
    return pids]])
  expect("there is one server", #servers == 1)
  local log = lua("return vim.lsp.get_log_path()")
  vim.rpcnotify(child, "nvim_command", "qall!")
  expect("Neovim ends", vim.fn.jobwait({ child }, patience_ms)[1] == 0)
  for _, pid in ipairs(servers) do
    local ended = vim.wait(patience_ms, function()
      return vim.loop.kill(pid, 0) ~= 0
    end, 20)
    if not ended then
      error("the server runs on", 0)
    end
  end
  local complaints = {}
  local file = io.open(log)
  for line in file and file:lines() or function() end do
    if line:find("ERROR", 1, true) then
      table.insert(complaints, line)
    end
  end
  if #complaints > 0 then
    error("Neovim's log:\n" .. table.concat(complaints, "\n"), 0)
  end
end

local ok, reason = xpcall(test, function(reason)
  return type(reason) == "string" and reason or debug.traceback(tostring(reason))
end)
if ok then
  vim.cmd("qall!")
else
  fail(tostring(reason))
end
