package io.github.vfio4j.examples.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.examples.e1000e.NetRig;
import java.util.Arrays;
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
        assertThat(Math.abs(PacketPool.offset(one) - PacketPool.offset(other)))
                .isGreaterThanOrEqualTo(PacketPool.HEADROOM + PacketPool.MOST_BYTES);
        assertThat(pool.iova(one) - pool.iova(other)).isEqualTo(PacketPool.offset(one) - PacketPool.offset(other));
    }

    @Test
    void givingAPacketBackTwiceIsNoticed() {
        int packet = pool.take();
        pool.give(packet);
        assertThatThrownBy(() -> pool.give(packet)).isInstanceOf(IllegalStateException.class);
        assertThat(pool.available()).isEqualTo(8);
    }

    @Test
    void manyPacketsAreTakenAndGivenBackAtOnce() {
        int[] packets = new int[10];
        pool.take(packets, 2, 8);
        assertThat(packets).startsWith(0, 0);
        assertThat(Arrays.stream(packets, 2, 10).distinct()).hasSize(8);
        assertThat(pool.available()).isZero();
        pool.give(packets, 4, 3);
        assertThat(pool.available()).isEqualTo(3);
        assertThat(Set.of(pool.take(), pool.take(), pool.take())).containsExactlyInAnyOrder(packets[4], packets[5], packets[6]);
    }

    @Test
    void moreThanThereAreAreNotTaken() {
        int[] packets = new int[9];
        assertThatThrownBy(() -> pool.take(packets, 0, 9)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(pool.available()).isEqualTo(8);
    }

    @Test
    void givingOneOfManyBackTwiceIsNoticedAndThoseBeforeItAreBack() {
        int[] packets = new int[3];
        pool.take(packets, 0, 3);
        pool.give(packets[1]);
        assertThatThrownBy(() -> pool.give(packets, 0, 3)).isInstanceOf(IllegalStateException.class);
        assertThat(pool.available()).isEqualTo(7);
        pool.give(packets, 2, 1);
        assertThat(pool.available()).isEqualTo(8);
    }
}
