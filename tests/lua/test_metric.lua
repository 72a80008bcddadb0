-- SPDX-License-Identifier: Apache-2.0
-- On a tiny random model, so that it runs without ../shared; test_baselines.lua has real ones.
local lu = require("luaunit")
local metric = require("vise.metric")
local model = require("vise.model")
local native = require("vise.native")
local protocol = require("vise.metric.protocol")
local tiny = require("support.tiny_model")

local FOLDER <const> = (os.getenv("VISE_BUILD") or "build") .. "/test_metric"
local TEXT <const> = ("the cat sat on the mat and saw a dog. "):rep(30)
local STORIES <const> = ("the cat sat.\n<|endoftext|>\n"):rep(3)
  .. ("a dog and the sea, and a man. "):rep(9) .. "\n<|endoftext|>\n"

native.file.remove_tree(FOLDER)
local original = assert(model.open(tiny.write(FOLDER .. "/tiny")))
local quantized = original:compress({ { match = "*", method = "rtn", bits = 4, group = 32 } })

local function evaluate(m, options)
  options.text = options.text or TEXT
  options.protocol = options.protocol or "nll-64"
  return assert(metric.evaluate(m, options))
end

--- All numbers but those of the clock, exactly.
local function numbers(row)
  local lines = {}
  for key, value in pairs(row) do
    if key ~= "seconds" and key ~= "tokens_per_s" then
      local shown = math.type(value) == "float" and ("%a"):format(value) or tostring(value)
      lines[#lines + 1] = key .. "=" .. shown
    end
  end
  table.sort(lines)
  return table.concat(lines, " ")
end

--- The model, counting its forward passes.
local function counted(m)
  local calls = { n = 0 }
  return setmetatable({
    hidden = function(_, batch)
      calls.n = calls.n + 1
      return m:hidden(batch)
    end,
  }, {
    __index = function(_, key)
      local value = m[key]
      return type(value) == "function" and function(_, ...)
        return value(m, ...)
      end or value
    end,
  }), calls
end

--- NLL of every scored token, window by window, with the softmax written out.
local function slow_nll(m, name, text)
  local losses = {}
  for _, window in ipairs(assert(protocol.windows(protocol.parse(name), m.tokenizer, text))) do
    local ids = native.tensor.from("i32", { #window.ids }, window.ids)
    local logits = assert(m:logits(assert(m:hidden({ ids = ids, starts = { 1 } }))))
    for i = window.first, #window.ids do
      local row = logits:narrow(1, i - 1, 1):table()
      local greatest = math.max(table.unpack(row))
      local sum = 0
      for _, x in ipairs(row) do
        sum = sum + math.exp(x - greatest)
      end
      losses[#losses + 1] = math.log(sum) + greatest - row[window.ids[i] + 1]
    end
  end
  return losses
end

TestEvaluate = {}

function TestEvaluate.test_nll_agrees_with_a_softmax_written_out()
  for _, name in ipairs({ "nll-20", "gptq-33", "llama.cpp-33", "stories-40" }) do
    local text = name:find("stories") and STORIES or TEXT
    local losses, sum = slow_nll(original, name, text), 0
    for _, loss in ipairs(losses) do
      sum = sum + loss
    end

    local row = evaluate(original, { protocol = name, text = text })

    lu.assertEquals(row.tokens, #losses)
    lu.assertAlmostEquals(row.nll, sum / #losses, 2e-6)
  end
end

function TestEvaluate.test_the_numbers_hang_together()
  local row = evaluate(quantized, { against = original })
  local base = evaluate(original, {})

  lu.assertEquals(row.protocol, "nll-64")
  lu.assertEquals(row.text_bytes, #TEXT)
  lu.assertAlmostEquals(row.perplexity, math.exp(row.nll), 1e-9)
  lu.assertAlmostEquals(row.perplexity_se, row.perplexity * row.nll_se, 1e-9)
  lu.assertAlmostEquals(row.nll_byte, row.nll * row.tokens / row.text_bytes, 1e-12)
  lu.assertTrue(row.nll_byte_se > 0 and row.nll_byte_se < row.nll_byte)
  lu.assertAlmostEquals(row.nll_delta, row.nll - base.nll, 1e-12)
  lu.assertAlmostEquals(row.tokens_per_s, row.tokens / row.seconds, 1e-6)
  lu.assertEquals(row.bytes, quantized:bytes())
  lu.assertAlmostEquals(row.bits_per_weight, 8 * quantized:bytes() / quantized:parameters(), 1e-12)
  lu.assertEquals(base.bytes, original:disk_bytes())
  lu.assertTrue(row.kl > 0 and row.kl_se > 0 and row.kl_p99 > row.kl_median)
  lu.assertTrue(row.top1 > 0 and row.top1 < 1 and row.top1_se > 0)
  lu.assertNil(base.kl)
end

function TestEvaluate.test_a_model_against_itself_has_lost_exactly_nothing()
  local row = evaluate(quantized, { against = quantized })

  lu.assertEquals({ row.kl, row.kl_se, row.kl_median, row.kl_p99 }, { 0.0, 0.0, 0.0, 0.0 })
  lu.assertEquals({ row.top1, row.top1_se }, { 1.0, 0.0 })
  lu.assertEquals({ row.nll_delta, row.nll_delta_se }, { 0.0, 0.0 })
end

function TestEvaluate.test_threads_do_not_change_a_bit()
  local before = native.core.threads()
  native.core.threads(1)
  local one = numbers(evaluate(quantized, { against = original }))
  native.core.threads(4)
  local four = numbers(evaluate(quantized, { against = original }))
  native.core.threads(before)

  lu.assertEquals(four, one)
end

function TestEvaluate.test_how_windows_are_batched_does_not_change_a_bit()
  local usual = protocol.BATCH_TOKENS
  local one = numbers(evaluate(quantized, { against = original }))
  protocol.BATCH_TOKENS = 64 -- a window a batch
  local many = numbers(evaluate(quantized, { against = original }))
  protocol.BATCH_TOKENS = usual

  lu.assertEquals(many, one)
end

function TestEvaluate.test_a_saved_model_has_the_numbers_it_had_before()
  local before = evaluate(quantized, { against = original })
  assert(quantized:save(FOLDER .. "/saved.vise"))
  local saved = assert(model.open(FOLDER .. "/saved.vise"))

  local after = evaluate(saved, { against = original })

  lu.assertEquals(after.bytes, native.file.stat(FOLDER .. "/saved.vise").bytes)
  after.bytes, after.bits_per_weight = before.bytes, before.bits_per_weight
  lu.assertEquals(numbers(after), numbers(before))
end

function TestEvaluate.test_progress_ends_with_all_tokens()
  local usual, seen = protocol.BATCH_TOKENS, {}
  protocol.BATCH_TOKENS = 128
  local row = evaluate(original, {
    on_progress = function(done, total)
      seen[#seen + 1] = { done, total }
    end,
  })
  protocol.BATCH_TOKENS = usual

  lu.assertTrue(#seen > 1)
  lu.assertEquals(seen[1], { 126, row.tokens })
  lu.assertEquals(seen[#seen], { row.tokens, row.tokens })
end

function TestEvaluate.test_a_share_scores_windows_spread_evenly_over_the_text()
  local windows = assert(protocol.windows(protocol.parse("nll-64"), original.tokenizer, TEXT))
  lu.assertTrue(#windows >= 7)
  -- half of n windows: the second of each pair; by the softmax written out
  local expected, tokens, half = 0, 0, (#windows + 1) // 2
  local losses, at = slow_nll(original, "nll-64", TEXT), 0
  local chosen = {}
  for i = 1, half do
    chosen[(2 * i - 1) * #windows // (2 * half) + 1] = true
  end
  for i, window in ipairs(windows) do
    for _ = window.first, #window.ids do
      at = at + 1
      expected, tokens = expected + (chosen[i] and losses[at] or 0), tokens + (chosen[i] and 1 or 0)
    end
  end
  local row = evaluate(quantized, { against = original, share = 0.5 })
  local alone = evaluate(original, { share = 0.5 })

  lu.assertEquals({ row.clusters, row.tokens, alone.tokens }, { half, tokens, tokens })
  lu.assertAlmostEquals(alone.nll, expected / tokens, 1e-5)
  lu.assertAlmostEquals(row.nll - row.nll_delta, alone.nll, 1e-12)
  lu.assertEquals(evaluate(original, { share = 1e-9 }).clusters, 1)
  lu.assertErrorMsgContains("evaluate: share is 0, expected a number above 0, at most 1",
    evaluate, original, { share = 0 })
end

function TestEvaluate.test_a_single_window_has_no_error_bar()
  local row = evaluate(original, { protocol = "nll-9", text = "the" })

  lu.assertEquals(row.clusters, 1)
  lu.assertIsNaN(row.nll_se)
end

function TestEvaluate.test_cancelling_returns_a_refusal()
  native.core.cancel()
  local row, message, code = metric.evaluate(original, { text = TEXT, protocol = "nll-64" })
  native.core.cancel_clear()

  lu.assertNil(row)
  lu.assertEquals({ message, code }, { "interrupted", "cancelled" })
end

TestRefusals = {}

local function refuses(message, m, options)
  lu.assertErrorMsgEquals(message, metric.evaluate, m, options)
end

function TestRefusals.test_wrong_options_are_named()
  refuses("evaluate: options are nil, expected a table", original)
  refuses("evaluate: unknown option 'agianst' (did you mean 'against'? known: against, cache, "
    .. "data, meter, on_progress, protocol, share, text)", original,
    { text = "a", protocol = "nll-9", agianst = 1 })
  refuses("evaluate: text is absent, expected a string for protocol 'nll-9'", original,
    { protocol = "nll-9" })
  refuses("evaluate: protocol is 256, expected a string", original, { text = "a", protocol = 256 })
end

function TestRefusals.test_a_window_beyond_the_context_is_refused()
  refuses("protocol 'gptq-300': a window has 300 tokens, expected at most 256 (the context of "
    .. "'tiny')", original, { text = TEXT, protocol = "gptq-300" })
end

function TestRefusals.test_a_model_without_a_tokenizer_is_refused()
  local bare = setmetatable({ tokenizer = false, name = "bare" }, { __index = original })

  refuses("evaluate: model 'bare' has no tokenizer, expected one beside its weights",
    bare, { text = TEXT, protocol = "nll-9" })
end

function TestRefusals.test_models_of_other_vocabularies_are_not_compared()
  local t = original.tokenizer
  local function changed(overrides)
    local tokenizer = setmetatable({}, {
      __index = function(_, key)
        return overrides[key] or function(_, ...)
          return t[key](t, ...)
        end
      end,
    })
    return setmetatable({ tokenizer = tokenizer, name = "other" }, { __index = original })
  end
  local options = { text = TEXT, protocol = "nll-9" }

  options.against = changed({ piece = function(_, id)
    return id == 300 and "x" or t:piece(id)
  end })
  refuses(("evaluate: id 300 is '%s' in model 'tiny' and 'x' in the reference 'other', "
    .. "expected the same vocabulary"):format(t:piece(300)), original, options)

  options.against = changed({ encode = function(_, text)
    return t:encode(text .. ".")
  end })
  lu.assertErrorMsgContains("of the text becomes other ids with the tokenizer of the reference",
    metric.evaluate, original, options)

  options.against = setmetatable({ vocabulary = 319, name = "small" }, { __index = original })
  refuses("evaluate: model 'tiny' has a vocabulary of 320, the reference 'small' one of 319, "
    .. "expected the same", original, options)
end

TestReference = {}

function TestReference.setUp()
  native.file.remove_tree(FOLDER .. "/cache")
end

local function kept_files()
  return native.file.list(FOLDER .. "/cache")
end

function TestReference.test_kept_states_give_the_same_numbers_without_a_forward_pass()
  local fresh = numbers(evaluate(quantized, { against = original }))
  local reference, calls = counted(original)
  local options = { against = reference, cache = FOLDER .. "/cache" }

  local first = numbers(evaluate(quantized, options))
  local passes = calls.n
  local second = numbers(evaluate(quantized, options))

  lu.assertEquals({ first, second }, { fresh, fresh })
  lu.assertTrue(passes > 0)
  lu.assertEquals(calls.n, passes)
end

function TestReference.test_a_model_measured_alone_is_kept_as_a_reference_to_come()
  local reference, calls = counted(original)

  evaluate(reference, { cache = FOLDER .. "/cache" })
  local passes = calls.n
  local row = evaluate(reference, { against = reference, cache = FOLDER .. "/cache" })

  lu.assertEquals({ row.kl, row.top1, row.nll_delta }, { 0.0, 1.0, 0.0 })
  lu.assertEquals(calls.n, 2 * passes)
  lu.assertEquals(#kept_files(), 1)
end

function TestReference.test_another_model_text_or_protocol_is_another_file()
  for i, case in ipairs({
    { original },
    { quantized },
    { original, text = TEXT .. "the" },
    { original, protocol = "nll-9" },
    { original, protocol = "gptq-64" },
  }) do
    evaluate(case[1], { text = case.text, protocol = case.protocol, cache = FOLDER .. "/cache" })

    lu.assertEquals(#kept_files(), i)
  end
end

function TestReference.test_an_altered_file_is_made_again()
  local fresh = numbers(evaluate(quantized, { against = original }))
  local reference, calls = counted(original)
  local options = { against = reference, cache = FOLDER .. "/cache" }
  evaluate(quantized, options)
  local passes = calls.n
  local path = FOLDER .. "/cache/" .. kept_files()[1]
  local content = assert(native.file.read(path))
  local middle = #content // 2
  local altered = content:sub(1, middle) .. string.char(content:byte(middle + 1) ~ 1)
    .. content:sub(middle + 2)
  for _, broken in ipairs({ altered, content:sub(1, middle), "" }) do
    assert(native.file.replace(path, broken))

    local row = evaluate(quantized, options)

    lu.assertEquals(numbers(row), fresh)
    lu.assertEquals(native.file.read(path), content)
  end
  lu.assertEquals(calls.n, 4 * passes)
end

function TestReference.test_an_interrupted_measurement_keeps_nothing()
  local function stop()
    native.core.cancel()
  end

  local row, _, code = metric.evaluate(original,
    { text = TEXT:rep(9), protocol = "nll-64", cache = FOLDER .. "/cache", on_progress = stop })
  native.core.cancel_clear()
  collectgarbage()

  lu.assertNil(row)
  lu.assertEquals(code, "cancelled")
  lu.assertEquals(kept_files(), {})
end

os.exit(lu.LuaUnit.run())
