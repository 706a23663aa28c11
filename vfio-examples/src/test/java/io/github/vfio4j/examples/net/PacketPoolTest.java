package io.github.vfio4j.examples.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.examples.e1000e.NetRig;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PacketPoolTest {
    private final NetRig rig = new NetRig(1);
    private final PacketPool pool = rig.pool(8);

    @AfterEach
    void close() {
        rig.close();
    }

    @Test
    void everyPacketIsTakenOnce() {
        Set<Integer> taken = new HashSet<>();
        for (int i = 0; i < 8; i++) {
            taken.add(pool.take());
        }
        assertThat(taken).hasSize(8);
        assertThat(pool.take()).isEqualTo(PacketPool.NONE);
        assertThat(pool.available()).isZero();
    }

    @Test
    void packetsDoNotOverlap() {
        int one = pool.take();
        int other = pool.take();
        assertThat(Math.abs(pool.offset(one) - pool.offset(other)))
                .isGreaterThanOrEqualTo(PacketPool.HEADROOM + PacketPool.MOST_BYTES);
        assertThat(pool.iova(one) - pool.iova(other)).isEqualTo(pool.offset(one) - pool.offset(other));
    }

    @Test
    void givingAPacketBackTwiceIsNoticed() {
        int packet = pool.take();
        pool.give(packet);
        assertThatThrownBy(() -> pool.give(packet)).isInstanceOf(IllegalStateException.class);
        assertThat(pool.available()).isEqualTo(8);
    }
}
