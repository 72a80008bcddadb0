--- Fail if luacheck complains. Skipped where there is no luacheck.
if not os.execute("command -v luacheck > /dev/null") then
  print("skipped: luacheck is not here")
  os.exit(77)
end
os.exit(os.execute("luacheck -q lua bench recipes tests") == true) -- nil would be a success
