"""Requests, what came back, and what is said of it (RFC 8489 section 6.2, RFC 8445 section 7.2.5)."""

from __future__ import annotations

import pytest

from tests.ice.transcript import id_of, one, read, rows, transcript

NAMES = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    A' = 203.0.113.1:4000
    S = 192.0.2.10:3478
    T = 192.0.2.20:3478
    R = 10.0.0.254:0
"""
CHECK = "user=bbbb:aaaa controlling prio=100"


def transactions(text, **options):
    return read(NAMES + text, **options).transactions


# Transmissions


def test_retransmissions_are_one_transaction():
    found = one(
        transactions(f"""
            0.0  A > B  request t1 {CHECK}
            0.5  A > B  request t1 {CHECK}
            1.5  A > B  request t1 {CHECK}
            1.6  B > A  success t1 mapped=A
        """)
    )
    assert found["transmissions"] == 3
    assert found["responses"] == 1
    assert found["outcome"] == "success"
    assert found["transaction_id"] == id_of("t1")
    assert (found["src"], found["dst"]) == ("10.0.0.1:1000", "10.0.0.2:2000")
    assert (found["request_frame"], found["response_frame"]) == (1, 4)
    assert (found["last_time"] - found["first_time"]).total_seconds() == 1.5


def test_round_trip_of_a_request_sent_once():
    found = one(transactions(f"0.0 A > B request t1 {CHECK}\n 0.0423 B > A success t1 mapped=A"))
    assert found["rtt_s"] == pytest.approx(0.0423)


def test_karn_no_round_trip_if_sent_twice_before_the_answer():
    """RFC 8489 section 6.2.1: RTT samples must not be taken of retransmitted requests."""
    found = one(
        transactions(f"""
            0.0  A > B  request t1 {CHECK}
            0.5  A > B  request t1 {CHECK}
            0.6  B > A  success t1 mapped=A
        """)
    )
    assert found["rtt_s"] is None


def test_a_retransmission_after_the_answer_does_not_make_it_ambiguous():
    found = one(
        transactions(f"""
            0.0   A > B  request t1 {CHECK}
            0.49  B > A  success t1 mapped=A
            0.5   A > B  request t1 {CHECK}
        """)
    )
    assert found["rtt_s"] == pytest.approx(0.49)


@pytest.mark.parametrize(
    ("answer", "rtt"),
    [("1/1", 0.6), ("2/1", 0.1), ("3/1", None), ("0/1", None)],
    ids=["first", "second", "one that was not captured", "none"],
)
def test_a_transmit_counter_says_which_transmission_was_answered(answer, rtt):
    """RFC 7982 section 3: the server copies Req from the request that it answers."""
    found = one(
        transactions(f"""
            0.0  A > B  request t1 {CHECK} counter=1/0
            0.5  A > B  request t1 {CHECK} counter=2/0
            0.6  B > A  success t1 mapped=A counter={answer}
        """)
    )
    assert found["rtt_s"] == (None if rtt is None else pytest.approx(rtt))


def test_a_transmit_counter_speaks_of_itself_not_of_its_place_in_the_capture():
    """The first transmission was before the capture began."""
    text = f"""
        0.5  A > B  request t1 {CHECK} counter=2/0
        1.5  A > B  request t1 {CHECK} counter=3/0
        1.6  B > A  success t1 mapped=A counter={{}}
    """
    assert one(transactions(text.format("3/1")))["rtt_s"] == pytest.approx(0.1)
    assert one(transactions(text.format("2/1")))["rtt_s"] == pytest.approx(1.1)


def test_a_counter_overrules_karn_where_the_answered_transmission_was_not_captured():
    found = one(
        transactions(f"""
            0.5  A > B  request t1 {CHECK} counter=2/0
            0.6  B > A  success t1 mapped=A counter=1/1
        """)
    )
    assert found["outcome"] == "success"
    assert found["rtt_s"] is None


def test_a_request_repeated_long_after_its_answer_was_not_heard():
    text = f"""
        0.00  A > B  request t1 {CHECK}
        0.02  B > A  success t1 mapped=A
        {{}}  A > B  request t1 {CHECK}
    """
    assert one(transactions(text.format(1.5)))["unheard"]
    assert not one(transactions(text.format(0.5)))["unheard"], "the answer may have been on its way"


# Whose answer


def test_a_response_from_elsewhere():
    """RFC 8445 section 7.2.5.2.1: asked directly, answered from the NAT's outside."""
    found = one(transactions(f"0 B > A request t1 {CHECK}\n 0.1 A' > B success t1 mapped=B\n 60 end"))
    assert found["outcome"] == "other-address"
    assert (found["response_src"], found["response_dst"]) == ("203.0.113.1:4000", "10.0.0.2:2000")
    assert found["mapped"] == "10.0.0.2:2000"
    assert found["rtt_s"] is None


def test_a_response_to_elsewhere():
    found = one(transactions(f"0 A > B request t1 {CHECK}\n 0.1 B > A' success t1 mapped=A'\n 60 end"))
    assert found["outcome"] == "other-address"
    assert found["response_dst"] == "203.0.113.1:4000"


def test_a_mirrored_response_beats_one_from_elsewhere():
    found = one(
        transactions(f"""
            0.00  A > B   request t1 {CHECK}
            0.01  A' > A  success t1 mapped=A
            0.02  B > A   success t1 mapped=A
        """)
    )
    assert found["outcome"] == "success"
    assert found["response_src"] == "10.0.0.2:2000"
    assert found["responses"] == 2
    assert found["rtt_s"] == pytest.approx(0.02)


def test_one_id_on_both_sides_of_a_nat():
    """Interface "any" of a router: the request before and after translation, the response likewise."""
    found = transactions(f"""
        0.000  A > B   request t1 {CHECK}
        0.001  A' > B  request t1 {CHECK}
        0.020  B > A'  success t1 mapped=A'
        0.021  B > A   success t1 mapped=A'
    """)
    inside, outside = one(found, src="10.0.0.1:1000"), one(found, src="203.0.113.1:4000")
    assert inside["outcome"] == outside["outcome"] == "success"
    assert (inside["request_frame"], inside["response_frame"]) == (1, 4)
    assert (outside["request_frame"], outside["response_frame"]) == (2, 3)
    assert inside["rtt_s"] == pytest.approx(0.021)
    assert outside["rtt_s"] == pytest.approx(0.019)


def test_of_two_senders_an_odd_response_belongs_to_the_one_it_agrees_with():
    found = transactions(f"""
        0.000  A > B   request t1 {CHECK}
        0.001  A' > B  request t1 {CHECK}
        0.020  T > A'  success t1 mapped=A'
        60     end
    """)
    assert one(found, src="203.0.113.1:4000")["outcome"] == "other-address"
    assert one(found, src="10.0.0.1:1000")["outcome"] == "unanswered"


def test_a_constant_classic_id_for_several_servers():
    """Zoom asks all its servers under one id: an answer from one must not be taken for that of another."""
    found = transactions("""
        0.00  A > S  request zoom classic
        0.01  A > T  request zoom classic
        0.05  T > A  success zoom classic mapped=A'
        60    end
    """)
    assert one(found, dst="192.0.2.20:3478")["outcome"] == "success"
    assert one(found, dst="192.0.2.10:3478")["outcome"] == "unanswered"


def test_a_classic_id_alone_ties_nothing_together():
    found = transactions("""
        0.00  A > S   request zoom classic
        0.05  T > A'  success zoom classic mapped=A'
        60    end
    """)
    assert sorted(found["outcome"]) == ["orphan", "unanswered"]


@pytest.mark.parametrize(("again", "count"), [(39.0, 1), (40.0, 2)])
def test_an_id_used_again_after_the_timeout_is_another_transaction(again, count):
    """39.5 s after the first transmission (RFC 8489 section 6.2.1: 79 RTO) a transaction has failed."""
    found = transactions(f"0 A > S request t1\n {again} A > S request t1\n {again + 0.02} S > A success t1 mapped=A")
    assert len(found) == count
    assert list(found["outcome"])[-1] == "success"
    if count == 2:
        assert list(found["outcome"]) == ["unanswered", "success"]
        assert found["rtt_s"].iloc[1] == pytest.approx(0.02)


def test_an_id_used_for_ever_is_cut_at_every_timeout():
    lines = "".join(f"{5 * n} A > S request t1\n" for n in range(25))  # 0 to 120 s
    found = transactions(lines)
    assert list(found["transmissions"]) == [8, 8, 8, 1]


def test_answers_belong_to_the_use_of_the_id_that_they_follow():
    found = transactions("""
        0      A > S  request t1
        0.010  S > A  success t1 mapped=A
        100    A > S  request t1
        100.02 S > A  success t1 mapped=A
    """)
    assert list(found["rtt_s"]) == pytest.approx([0.01, 0.02])


def test_orphans():
    found = one(transactions("0 B > A success t1 mapped=A\n 60 end"))
    assert found["outcome"] == "orphan"
    assert (found["src"], found["dst"]) == ("10.0.0.1:1000", "10.0.0.2:2000"), "as the request went"
    assert found["transmissions"] == 0
    assert found["request_frame"] is None
    assert found["response_frame"] == 1
    assert found["rtt_s"] is None


def test_a_response_before_its_request_in_time_and_file_is_an_orphan():
    found = transactions("0 S > A success t1 mapped=A\n 5 A > S request t1\n 5.1 S > A success t1 mapped=A")
    assert list(found["outcome"]) == ["orphan", "success"]


def test_a_clock_set_back_does_not_part_request_and_response():
    """Times of two queues or a corrected clock: the file still tells what came first."""
    found = one(transactions("10.0 A > S request t1\n 9.9 S > A success t1 mapped=A\n 60 end"))
    assert found["outcome"] == "success"
    assert found["rtt_s"] is None


def test_packets_out_of_order_in_the_file():
    found = one(transactions("0.03 S > A success t1 mapped=A\n 0.01 A > S request t1\n 60 end"))
    assert found["outcome"] == "success"
    assert found["rtt_s"] == pytest.approx(0.02)


def test_first_and_last_transmission_are_told_by_time():
    found = one(transactions(f"0.5 A > B request t1 {CHECK}\n 0.0 A > B request t1 {CHECK}\n 60 end"))
    assert found["request_frame"] == 2
    assert found["last_time"] > found["first_time"]


def test_a_response_in_the_same_nanosecond():
    found = one(transactions("1 S > A success t1 mapped=A\n 1 A > S request t1"))
    assert found["outcome"] == "success"
    assert found["rtt_s"] == 0


def test_an_error_response():
    found = one(transactions(f"0 A > B request t1 {CHECK}\n 0.1 B > A error t1 code=487"))
    assert found["outcome"] == "error"
    assert found["error_code"] == 487
    assert found["rtt_s"] == pytest.approx(0.1)


def test_two_vantages_do_not_mix():
    trace = read(one=NAMES + "0 A > S request t1", two=NAMES + "0.1 S > A success t1 mapped=A")
    assert [(row["vantage"], row["outcome"]) for row in rows(trace.transactions)] == [
        ("one", "unfinished"),
        ("two", "orphan"),
    ]


def test_nothing_at_all():
    trace = read(" 0 end")
    assert len(trace.messages) == len(trace.transactions) == len(trace.sessions) == len(trace.candidates) == 0


def test_only_indications():
    trace = read(NAMES + "0 A > S indication t1")
    assert len(trace.messages) == 1
    assert len(trace.transactions) == 0


# Packets captured twice


def captured(text):
    trace = read(NAMES + text)
    return one(trace.transactions)["transmissions"], int(trace.messages["duplicate"].sum())


def test_the_same_ip_id_is_the_same_packet():
    assert captured("0 A > S request t1 ipid=7\n 0.3 A > S request t1 ipid=7") == (1, 1)


def test_the_same_ip_id_much_later_is_not():
    assert captured("0 A > S request t1 ipid=7\n 1.5 A > S request t1 ipid=7") == (2, 0)


def test_without_ip_id_only_what_follows_at_once():
    assert captured("0 A > S request t1 ipid=0\n 0.004 A > S request t1 ipid=0") == (1, 1)
    assert captured("0 A > S request t1 ipid=0\n 0.1 A > S request t1 ipid=0") == (2, 0)


def test_a_real_retransmission_has_another_ip_id():
    assert captured("0 A > S request t1 ipid=7\n 0.003 A > S request t1 ipid=8") == (2, 0)


def test_copies_may_come_between_those_of_another_transmission():
    """Mirrored port: the copies arrive late and mingled."""
    assert captured("""
        0.0    A > S  request t1 ipid=7
        0.1    A > S  request t1 ipid=8
        0.1001 A > S  request t1 ipid=7
        0.1002 A > S  request t1 ipid=8
    """) == (2, 2)


def test_three_copies_and_ipv6():
    assert captured("""
        A6 = [2001:db8::1]:1000
        S6 = [2001:db8::2]:3478
        0      A6 > S6  request t1
        0.001  again
        0.002  again
    """) == (1, 2)


def test_a_copied_response_counts_once():
    found = one(transactions("0 A > S request t1\n 0.02 S > A success t1 mapped=A\n 0.021 again"))
    assert found["responses"] == 1


# ICMP errors


def test_an_icmp_error_is_tied_by_the_id_it_quotes():
    found = transactions(f"""
        0.00  A > B  request t1 {CHECK}
        0.01  A > B  request t2 {CHECK}
        0.02  R > A  icmp 3/13 quotes=t1
        60    end
    """)
    hit = one(found, transaction_id=id_of("t1"))
    assert hit["outcome"] == "icmp"
    assert hit["icmp"] == "communication administratively prohibited (3/13) from 10.0.0.254"
    assert hit["icmp_frame"] == 3
    assert one(found, transaction_id=id_of("t2"))["outcome"] == "unanswered"


def test_an_icmp_error_whose_quote_a_nat_did_not_translate_back():
    found = one(transactions(f"0 A > B request t1 {CHECK}\n 0.02 R > A icmp 3/1 quotes=t1 as=A'>B\n 60 end"))
    assert found["outcome"] == "icmp"


def test_of_two_senders_the_quoted_one_was_rejected():
    found = transactions(f"""
        0.000  A > B   request t1 {CHECK}
        0.001  A' > B  request t1 {CHECK}
        0.02   B > A'  icmp 3/3 quotes=t1
        60     end
    """)
    assert one(found, src="203.0.113.1:4000")["outcome"] == "icmp"
    assert one(found, src="10.0.0.1:1000")["outcome"] == "unanswered"


def test_a_short_quote_means_the_last_request_on_its_addresses():
    """RFC 792 demands eight bytes of the datagram only: the UDP header."""
    found = transactions(f"""
        0.00  A > B  request t1 {CHECK}
        0.10  A > B  request t2 {CHECK}
        0.11  A > S  request t3
        0.12  R > A  icmp 3/1 quotes=t2 bytes=0
        60    end
    """)
    assert one(found, transaction_id=id_of("t2"))["outcome"] == "icmp"
    assert one(found, transaction_id=id_of("t1"))["outcome"] == "unanswered"
    assert one(found, transaction_id=id_of("t3"))["outcome"] == "unanswered"


def test_a_short_quote_long_after_is_of_something_else():
    found = one(transactions(f"0 A > B request t1 {CHECK}\n 45 R > A icmp 3/1 quotes=t1 bytes=0\n 60 end"))
    assert found["outcome"] == "unanswered"
    assert found["icmp"] is None


def test_a_quoted_response_rejects_no_request():
    found = one(
        transactions(f"""
            0.00  A > B  request t1 {CHECK}
            0.02  B > A  success t1 mapped=A
            0.03  A > B  icmp 3/3 quotes=t1
        """)
    )
    assert found["outcome"] == "success"
    assert found["icmp"] is None


def test_an_icmp_error_does_not_outdo_an_answer():
    found = one(
        transactions(f"""
            0.0  A > B  request t1 {CHECK}
            0.1  R > A  icmp 3/1 quotes=t1
            0.5  A > B  request t1 {CHECK}
            0.6  B > A  success t1 mapped=A
        """)
    )
    assert found["outcome"] == "success"
    assert found["icmp"] == "host unreachable (3/1) from 10.0.0.254"


def test_source_quench_is_not_fatal():
    """RFC 1122 section 3.2.2.3: it may be sent of packets that were forwarded."""
    found = one(transactions(f"0 A > B request t1 {CHECK}\n 0.1 R > A icmp 4/0 quotes=t1\n 60 end"))
    assert found["outcome"] == "unanswered"
    assert found["icmp"] == "source quench (4/0) from 10.0.0.254"


def test_a_fatal_error_is_named_before_one_that_is_not():
    found = one(
        transactions(
            f"0 A > B request t1 {CHECK}\n 0.1 R > A icmp 4/0 quotes=t1\n .2 R > A icmp 3/1 quotes=t1\n 60 end"
        )
    )
    assert found["outcome"] == "icmp"
    assert found["icmp"] == "host unreachable (3/1) from 10.0.0.254"
    assert found["icmp_frame"] == 3


def test_icmpv6():
    found = one(
        transactions(f"""
            A6 = [2001:db8::1]:1000
            B6 = [2001:db8::2]:2000
            R6 = [2001:db8::fe]:0
            0    A6 > B6  request t1 {CHECK}
            0.1  R6 > A6  icmp 1/1 quotes=t1
        """)
    )
    assert found["outcome"] == "icmp"
    assert found["icmp"] == "communication administratively prohibited (ICMPv6 1/1) from 2001:db8::fe"


# Unfinished or unanswered

NEXT = {1: 1, 2: 3, 3: 7, 4: 15, 5: 31, 6: 63, 7: 79}
"""Transmissions seen -> when the agent acts again, in RTOs after the first (RFC 8489 section 6.2.1, Rc=7, Rm=16)."""


@pytest.mark.parametrize("sent", range(1, 8))
@pytest.mark.parametrize("rto", [0.1, 0.5])
def test_an_open_request_is_unfinished_until_its_agent_would_act_again(sent, rto):
    """A single transmission shows no RTO: 500 ms are assumed."""
    times = [rto * (2**k - 1) for k in range(sent)]
    until = NEXT[sent] * (0.5 if sent == 1 else rto)
    lines = "".join(f"{time} A > B request t1 {CHECK}\n" for time in times)
    assert one(transactions(lines + f"{until - 0.01} end"))["outcome"] == "unfinished"
    assert one(transactions(lines + f"{until + 0.01} end"))["outcome"] == "unanswered"


def test_repeating_at_even_intervals_is_waiting_too():
    """aioice, and others, at times: more than seven transmissions, or not doubled."""
    lines = "".join(f"{n / 10} A > B request t1 {CHECK}\n" for n in range(150))
    assert one(transactions(lines))["outcome"] == "unfinished"
    assert one(transactions(lines + "15.2 end"))["outcome"] == "unanswered"


# Kinds


@pytest.mark.parametrize(
    ("request_line", "kind"),
    [
        ("request t1 user=bbbb:aaaa", "check"),
        ("request t1 user=bbbb:1:aaaa:1 prio=1", "check"),
        ("request t1 prio=5", "check"),
        ("request t1 controlled", "check"),
        ("request t1", "gather"),
        ("request t1 user=alice realm=example.org", "gather"),
        ("request t1 user=1700000000:alice realm=example.org", "gather"),
        ("goog-ping request t1", "check"),
        ("allocate request t1", "allocate"),
        ("refresh request t1 lifetime=600", "refresh"),
        ("create-permission request t1 peer=B", "permission"),
        ("channel-bind request t1 peer=B", "channel-bind"),
        ("0x3f request t1", "other"),
    ],
)
def test_kinds(request_line, kind):
    assert one(transactions(f"0 A > S {request_line}\n 60 end"))["kind"] == kind


def test_asking_again_after_an_answer_keeps_the_mapping_alive():
    found = transactions("""
        0.00  A > S  request t1
        0.02  S > A  success t1 mapped=A'
        0.03  A > T  request t2
        10.0  A > S  request t3
        10.1  S > A  success t3 mapped=A'
    """)
    assert list(found["kind"]) == ["gather", "gather", "keepalive"]


def test_asking_again_without_an_answer_is_still_gathering():
    assert set(transactions("0 A > S request t1\n 10 A > S request t2")["kind"]) == {"gather"}


def test_checks_after_the_nomination_are_consent():
    """RFC 7675: on the pair that was nominated, in both directions; on another pair they are checks."""
    found = transactions(f"""
        B2 = 10.0.0.2:2222
        0.00  A > B   request t1 {CHECK} use
        0.02  B > A   success t1 mapped=A
        0.03  B > A   request t2 user=aaaa:bbbb controlled
        0.04  A > B   success t2 mapped=B
        5.00  A > B   request t3 {CHECK}
        5.01  A > B2  request t4 {CHECK}
        5.02  B > A   success t3 mapped=A
        60    end
    """)
    assert list(found["kind"]) == ["check", "consent", "consent", "check"]


def test_transcripts_are_what_tshark_reads(tmp_path):
    """The builder's own check: another dissector finds no fault with its packets."""
    import shutil
    import subprocess

    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    text = transcript(
        f"""{NAMES}
        A6 = [2001:db8::1]:1000
        0.00  A > B    request t1 {CHECK} use counter=1/0 key=secret in
        0.02  B > A    success t1 mapped=A' key=secret out
        0.03  A6 > S   request t2 in
        0.04  S > A    success t3 mapped=A6 out
        0.05  R > A    icmp 3/3 quotes=t1 in
    """.replace("A6 > S ", "A > S ")
    )
    for form in ("pcap", "cooked", "pcapng"):
        path = tmp_path / f"x.{form}"
        path.write_bytes(text.capture(form))
        fields = ["stun.type", "stun.id", "stun.att.crc32.status", "stun.att.ipv4", "stun.att.ipv6", "_ws.malformed"]
        options = [word for name in fields for word in ("-e", name)]
        done = subprocess.run(
            ["tshark", "-r", str(path), "-T", "fields", *options], capture_output=True, text=True, check=True
        )
        lines = [line.split("\t") for line in done.stdout.splitlines()]
        assert [line[0] for line in lines] == ["0x0001", "0x0101", "0x0001", "0x0101", "0x0101"]
        assert all(set(line[2].split(",")) == {"1"} for line in lines[:4])
        assert (lines[1][3], lines[3][4]) == ("203.0.113.1", "2001:db8::1")
        assert all(not line[5] for line in lines)
