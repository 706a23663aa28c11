package io.github.vfio4j.examples.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.examples.Allocations;
import io.github.vfio4j.examples.e1000e.NetRig;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Cards 0 and 2 are ports, cards 1 and 3 their peers. */
@Timeout(60)
class L2ForwarderTest {
    private static final int ENTRIES = 64;

    private final NetRig rig = new NetRig(4);
    private final PacketPool pool = rig.pool(1024);
    private final NetPort[] cards = new NetPort[4];

    L2ForwarderTest() {
        for (int i = 0; i < 4; i++) {
            cards[i] = rig.start(i, pool, ENTRIES);
        }
    }

    @AfterEach
    void close() {
        for (NetPort card : cards) {
            card.close();
        }
        assertThat(pool.available()).isEqualTo(pool.size());
        rig.close();
    }

    @Test
    void twoPortsForwardToEachOtherWithNewAddresses() {
        L2Forwarder forwarder = new L2Forwarder(pool, cards[0], cards[2]);
        PacketStream there = stream(cards[1], cards[3], 1, cards[2]);
        PacketStream back = stream(cards[3], cards[1], 0, cards[0]);
        run(forwarder, 5000, there, back);
        assertThat(forwarder.forwarded()).isEqualTo(10_000);
    }

    @Test
    void onePortSendsBack() {
        L2Forwarder forwarder = new L2Forwarder(pool, cards[0]);
        PacketStream stream = stream(cards[1], cards[1], 0, cards[0]);
        run(forwarder, 5000, stream);
    }

    @Test
    void forwardingAllocatesNothing() {
        L2Forwarder forwarder = new L2Forwarder(pool, cards[0], cards[2]);
        PacketStream there = stream(cards[1], cards[3], 1, cards[2]);
        long[] until = new long[1];
        assertThat(Allocations.leastOf(() -> {
                    until[0] += 2000;
                    while (there.sent() < until[0] || there.onTheWay() > 0) {
                        there.send(until[0]);
                        forwarder.poll();
                        there.receive();
                    }
                }))
                .isZero();
    }

    @Test
    void threePortsAreNoPairs() {
        assertThatThrownBy(() -> new L2Forwarder(pool, cards[0], cards[1], cards[2]))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new L2Forwarder(pool)).isInstanceOf(IllegalArgumentException.class);
    }

    private PacketStream stream(NetPort from, NetPort to, int leaves, NetPort by) {
        return new PacketStream(
                pool, from, to, 0x42, L2Forwarder.destination(leaves), by.macAddress(), 3, 1514, ENTRIES / 4);
    }

    private static void run(L2Forwarder forwarder, long packets, PacketStream... streams) {
        boolean open = true;
        while (open) {
            open = false;
            for (PacketStream stream : streams) {
                stream.send(packets);
                forwarder.poll();
                stream.receive();
                open |= stream.sent() < packets || stream.onTheWay() > 0;
            }
        }
        for (PacketStream stream : streams) {
            assertThat(stream.received()).isEqualTo(packets);
            assertThat(stream.lost() + stream.reordered() + stream.corrupted()).isZero();
        }
    }
}
