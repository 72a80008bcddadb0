---@meta vise.native.tokenizer

--- Text to token ids and back. Ids count from 0, as in the files.
---@class vise.native.tokenizer
local tokenizer = {}

---@class vise.Tokenizer
local Tokenizer = {}

--- From the bytes of a tokenizer.model: SentencePiece, of type BPE.
---@param data string
---@return vise.Tokenizer|nil tokenizer
---@return string? message names the component that is bad or unsupported
---@return string? code "format" or "unsupported"
function tokenizer.sentencepiece(data) end

--- From the text of a tokenizer.json: BPE of bytes, or of characters with byte fallback.
---@param text string
---@return vise.Tokenizer|nil tokenizer
---@return string? message names the component that is bad or unsupported
---@return string? code "format" or "unsupported"
function tokenizer.bpe(text) end

--- The words of a text, as a pre-tokenizer cuts it, and how often each is there.
---@param text string UTF-8
---@param pre_tokenizer string JSON, as in a tokenizer.json
---@return string[]|nil words in the order of their first appearance
---@return integer[]|string counts, or the message
---@return string? code "format", "unsupported" or "cancelled"
function tokenizer.words(text, pre_tokenizer) end

--- The ids of a text. Bytes that are not UTF-8 count as U+FFFD each.
---@param text string
---@param with_bos? boolean put BOS in front, or what else the tokenizer puts there; maybe nothing
---@return vise.Tensor|nil ids i32 [n]
---@return string? message
---@return string? code "format" (a regular expression that gives up), "unsupported" (its normalizer
--- is NFC and the text is not in that form) or "cancelled"
function Tokenizer:encode(text, with_bos) end

--- The text of ids, always UTF-8. Raises for an id that is none.
---@param ids integer[]|vise.Tensor a list, or i32 [n]
---@return string text
function Tokenizer:decode(ids) end

--- The bytes of a piece as the file has them.
---@param id integer
---@return string|nil piece nil where no piece has that id
function Tokenizer:piece(id) end

--- How many ids there are: the greatest plus one.
---@return integer
function Tokenizer:size() end

--- The id that is put before a text.
---@return integer|nil id
function Tokenizer:bos() end

--- The id that ends a text. A tokenizer.json does not name it: nil.
---@return integer|nil id
function Tokenizer:eos() end

--- What made it.
---@return "sentencepiece"|"bpe"
function Tokenizer:kind() end

--- Free it now. May be called twice.
function Tokenizer:close() end

return tokenizer
