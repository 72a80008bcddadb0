---@meta vise.native.file

--- Files, read whole and replaced whole. What the system refuses is nil, message, "io".
---@class vise.native.file
local file = {}

---@class vise.FileInfo
---@field kind "file"|"folder"|"other" links followed
---@field bytes integer
---@field changed_ns integer last change of content or attributes, nanoseconds since 1970
---@field device integer
---@field inode integer

--- The whole content. More than `limit` bytes are refused with the code "format".
---@param path string
---@param limit? integer bytes, 1 GiB if absent
---@return string? content
---@return string? message
---@return string? code
function file.read(path, limit) end

--- What a .gz file of these bytes holds. More than `limit` bytes are refused with "format".
---@param bytes string
---@param limit? integer bytes, 1 GiB if absent
---@return string? content
---@return string? message
---@return string? code
function file.gunzip(bytes, limit) end

--- Replace the file as a whole, atomically.
---@param path string
---@param content string
---@return true?
---@return string? message
---@return string? code
function file.replace(path, content) end

--- Make a folder and those above it. Fine if it is there.
---@param path string
---@return true?
---@return string? message
---@return string? code
function file.make_dirs(path) end

--- Remove a file or a folder with all in it; links are removed, not followed. Fine if there is nothing.
---@param path string
---@return true?
---@return string? message
---@return string? code
function file.remove_tree(path) end

--- Rename, replacing a file at `to`.
---@param from string
---@param to string
---@return true?
---@return string? message
---@return string? code
function file.rename(from, to) end

--- Names in a folder, in byte order.
---@param folder string
---@return string[]?
---@return string? message
---@return string? code
function file.list(folder) end

--- What is there.
---@param path string
---@return vise.FileInfo?
---@return string? message
---@return string? code
function file.stat(path) end

--- Bytes on disk of a folder and all in it, at least 4 KiB for each; 0 if it is not there.
---@param path string
---@param stop_at integer above which counting ends
---@return integer
function file.tree_bytes(path, stop_at) end

--- Bytes that may still be written to the file system on which a path is.
---@param path string
---@return integer|nil
---@return string? message
---@return string? code "io"
function file.free_bytes(path) end

--- Make the file's times those of now.
---@param path string
---@return true?
---@return string? message
---@return string? code
function file.touch(path) end

--- Is the path itself a symbolic link, whether or not it leads anywhere?
---@param path string
---@return boolean
function file.is_link(path) end

--- The absolute path, links resolved. The file must exist.
---@param path string
---@return string?
---@return string? message
---@return string? code
function file.realpath(path) end

--- Path of the running program: vise, or a stock lua5.4.
---@return string?
---@return string? message
---@return string? code
function file.exe() end

--- Is the descriptor (0 input, 1 output, 2 error) a terminal?
---@param fd integer
---@return boolean
function file.is_terminal(fd) end

--- Width of the terminal at standard error or output.
---@return integer? columns, nil if neither is a terminal
function file.columns() end

--- Tree hash of the content (as core.tree_hash), in little memory.
---@param path string
---@return string? hex
---@return string? message
---@return string? code
function file.digest(path) end

return file
