-- Lets tshark look for STUN and ChannelData inside TLS and DTLS once it has the keys.  Its own dissector of STUN stands
-- ready for UDP and TCP only; here it is called for what was decrypted.
local inside = Proto("stunpcap_inside_tls", "STUN and TURN inside TLS or DTLS")
local stream, datagram = Dissector.get("stun-tcp"), Dissector.get("stun-udp")
local COOKIE = 0x2112A442

local function padded(length)
    return math.floor((length + 3) / 4) * 4
end

-- A STUN message (RFC 8489 section 5), or ChannelData (RFC 8656 section 12.4) that ends where the data ends, or where
-- another of either begins.
local function is_turn(tvb)
    local at = 0
    while at + 4 <= tvb:len() do
        local first, length = tvb(at, 2):uint(), tvb(at + 2, 2):uint()
        if first < 0x4000 then
            return at + 8 <= tvb:len() and tvb(at + 4, 4):uint() == COOKIE
        elseif first > 0x4FFF then
            return false
        end
        if at + 4 + length == tvb:len() then
            return true
        end
        at = at + 4 + padded(length)
    end
    return at > 0 and at == tvb:len()
end

local function caller(dissector)
    return function(tvb, pinfo, tree)
        if not is_turn(tvb) then
            return false
        end
        dissector:call(tvb, pinfo, tree)
        return true
    end
end

inside:register_heuristic("tls", caller(stream))
inside:register_heuristic("dtls", caller(datagram))

-- What TURN carries is opened here, too: the heuristic stun_turn, which does so elsewhere, binds the whole connection to
-- STUN, and tshark then no longer takes it for TLS.
inside:register_heuristic("stun", function(tvb, pinfo, tree)
    if tvb:len() < 20 or tvb(0, 1):uint() > 0x3F or tvb(4, 4):uint() ~= COOKIE then
        return false
    end
    datagram:call(tvb, pinfo, tree)
    return true
end)
