-- SPDX-License-Identifier: GPL-2.0-or-later
-- Wireshark dissector for what a vhost-pci-server writes with dump=FILE:
--   wireshark -X lua_script:vhost_pci.lua FILE
-- Each packet is a header of 16 bytes and one message of docs/reference/protocol.md, in the byte order of an x86 host.

local proto = Proto("vhost_pci", "vhost-pci control channel")

local REQUESTS = {
  [1] = "GET_FEATURES",
  [2] = "SET_FEATURES",
  [3] = "SET_OWNER",
  [4] = "RESET_OWNER",
  [5] = "SET_MEM_TABLE",
  [8] = "SET_VRING_NUM",
  [9] = "SET_VRING_ADDR",
  [10] = "SET_VRING_BASE",
  [11] = "GET_VRING_BASE",
  [12] = "SET_VRING_KICK",
  [13] = "SET_VRING_CALL",
  [14] = "SET_VRING_ERR",
  [15] = "GET_PROTOCOL_FEATURES",
  [16] = "SET_PROTOCOL_FEATURES",
  [17] = "GET_QUEUE_NUM",
  [18] = "SET_VRING_ENABLE",
  [19] = "SEND_RARP",
  [20] = "NET_SET_MTU",
  [34] = "RESET_DEVICE",
  [36] = "GET_MAX_MEM_SLOTS",
  [37] = "ADD_MEM_REG",
  [38] = "REM_MEM_REG",
  [39] = "SET_STATUS",
  [40] = "GET_STATUS",
  [0x56500001] = "VHOST_PCI_SET_DEVICE_INFO",
  [0x56500004] = "VHOST_PCI_SET_DRIVER_STATE",
  [0x56500002] = "VHOST_PCI_LINK",
  [0x56500003] = "VHOST_PCI_ACCEPT_FEATURES",
}

local DIRECTIONS = { [0] = "origin to server", [1] = "server to origin" }

local f = {
  version = ProtoField.uint8("vhost_pci.version", "Record version"),
  direction = ProtoField.uint8("vhost_pci.direction", "Direction", base.DEC, DIRECTIONS),
  fds = ProtoField.uint16("vhost_pci.fds", "Descriptors"),
  pid = ProtoField.uint32("vhost_pci.pid", "Origin's process"),
  connection = ProtoField.uint64("vhost_pci.connection", "Connection"),
  request = ProtoField.uint32("vhost_pci.request", "Request", base.DEC, REQUESTS),
  flags = ProtoField.uint32("vhost_pci.flags", "Flags", base.HEX),
  reply = ProtoField.bool("vhost_pci.reply", "Reply", 32, nil, 0x4),
  need_reply = ProtoField.bool("vhost_pci.need_reply", "Needs a reply", 32, nil, 0x8),
  size = ProtoField.uint32("vhost_pci.size", "Payload bytes"),
  u64 = ProtoField.uint64("vhost_pci.u64", "Value", base.HEX),
  index = ProtoField.uint32("vhost_pci.ring", "Ring"),
  num = ProtoField.uint32("vhost_pci.num", "Number"),
  no_fd = ProtoField.bool("vhost_pci.no_fd", "Without a descriptor", 32, nil, 0x100),
  desc = ProtoField.uint64("vhost_pci.desc", "Descriptor table", base.HEX),
  used = ProtoField.uint64("vhost_pci.used", "Used ring", base.HEX),
  avail = ProtoField.uint64("vhost_pci.avail", "Available ring", base.HEX),
  guest = ProtoField.uint64("vhost_pci.region.guest", "Guest address", base.HEX),
  length = ProtoField.uint64("vhost_pci.region.size", "Size", base.HEX),
  user = ProtoField.uint64("vhost_pci.region.user", "User address", base.HEX),
  offset = ProtoField.uint64("vhost_pci.region.offset", "Offset in its file", base.HEX),
  pairs = ProtoField.uint16("vhost_pci.info.queue_pairs", "Queue pairs"),
  uuid = ProtoField.bytes("vhost_pci.info.uuid", "VM UUID"),
  mac = ProtoField.ether("vhost_pci.info.mac", "MAC"),
  mtu = ProtoField.uint16("vhost_pci.info.mtu", "MTU"),
  memory_end = ProtoField.uint64("vhost_pci.info.memory_end", "End of memory", base.HEX),
  name = ProtoField.stringz("vhost_pci.info.name", "Name"),
  payload = ProtoField.bytes("vhost_pci.payload", "Payload"),
}

for _, field in pairs(f) do
  proto.fields[#proto.fields + 1] = field
end

local function add_region(tree, data)
  local sub = tree:add(proto, data, string.format("Region at 0x%s", data(0, 8):le_uint64():tohex()))
  sub:add_le(f.guest, data(0, 8))
  sub:add_le(f.length, data(8, 8))
  sub:add_le(f.user, data(16, 8))
  sub:add_le(f.offset, data(24, 8))
end

local function add_state(tree, data)
  tree:add_le(f.index, data(0, 4))
  tree:add_le(f.num, data(4, 4))
end

local function add_fd(tree, data)
  tree:add_le(f.index, data(0, 1))
  tree:add_le(f.no_fd, data(0, 4))
end

local function add_address(tree, data)
  tree:add_le(f.index, data(0, 4))
  tree:add_le(f.desc, data(8, 8))
  tree:add_le(f.used, data(16, 8))
  tree:add_le(f.avail, data(24, 8))
end

local function add_info(tree, data)
  tree:add_le(f.pairs, data(6, 2))
  tree:add(f.uuid, data(8, 16))
  tree:add(f.mac, data(24, 6))
  tree:add_le(f.mtu, data(30, 2))
  tree:add_le(f.memory_end, data(32, 8))
  tree:add(f.name, data(40, 64))
end

local function add_driver_state(tree, data)
  tree:add_le(f.u64, data(0, 8))
  tree:add(f.mac, data(8, 6))
end

-- By name: smallest payload, and what to show of it
local PAYLOADS = {
  VHOST_PCI_SET_DRIVER_STATE = { 16, add_driver_state },
  SET_VRING_NUM = { 8, add_state }, SET_VRING_BASE = { 8, add_state }, GET_VRING_BASE = { 8, add_state },
  SET_VRING_ENABLE = { 8, add_state },
  SET_VRING_KICK = { 8, add_fd }, SET_VRING_CALL = { 8, add_fd }, SET_VRING_ERR = { 8, add_fd },
  SET_VRING_ADDR = { 40, add_address },
  ADD_MEM_REG = { 40, function(tree, data) add_region(tree, data(8, 32)) end },
  REM_MEM_REG = { 40, function(tree, data) add_region(tree, data(8, 32)) end },
  SET_MEM_TABLE = { 8, function(tree, data)
    for at = 8, data:len() - 32, 32 do
      add_region(tree, data(at, 32))
    end
  end },
  VHOST_PCI_SET_DEVICE_INFO = { 104, add_info },
}

function proto.dissector(buffer, info, root)
  if buffer:len() < 28 then
    return 0
  end
  local direction = buffer(1, 1):uint()
  local number = buffer(16, 4):le_uint()
  local name = REQUESTS[number] or string.format("request %d", number)
  local reply = bit.band(buffer(20, 4):le_uint(), 4) ~= 0
  local tree = root:add(proto, buffer(), "vhost-pci: " .. name .. (reply and " (reply)" or ""))

  info.cols.protocol = "vhost-pci"
  info.cols.info = string.format("#%s %s%s", tostring(buffer(8, 8):le_uint64()), name, reply and " (reply)" or "")
  info.cols.src = direction == 0 and "origin" or "server"
  info.cols.dst = direction == 0 and "server" or "origin"

  tree:add(f.version, buffer(0, 1))
  tree:add(f.direction, buffer(1, 1))
  tree:add_le(f.fds, buffer(2, 2))
  tree:add_le(f.pid, buffer(4, 4))
  tree:add_le(f.connection, buffer(8, 8))
  tree:add_le(f.request, buffer(16, 4))
  tree:add_le(f.flags, buffer(20, 4))
  tree:add_le(f.reply, buffer(20, 4))
  tree:add_le(f.need_reply, buffer(20, 4))
  tree:add_le(f.size, buffer(24, 4))
  if buffer:len() > 28 then
    local data = buffer(28)
    local known = PAYLOADS[name]
    if known and data:len() >= known[1] then
      known[2](tree, data)
    elseif data:len() == 8 then
      tree:add_le(f.u64, data)
    else
      tree:add(f.payload, data)
    end
  end
  return buffer:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, proto)
