package io.github.vfio4j.examples.nvme;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.examples.driver.DmaSlices;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NvmeQueueTest {
    private static final long SEED = 7;

    private final Rig rig = new Rig();
    private final NvmeController controller = rig.start();
    private final NvmeNamespace namespace = controller.namespaces().getFirst();

    @AfterEach
    void close() {
        controller.close();
        assertThat(rig.machine.faults()).isEmpty();
        rig.close();
    }

    @Test
    void aNewQueueHasNothingUnderWay() {
        NvmeQueue queue = controller.createQueue(8);
        assertThat(queue.capacity()).isEqualTo(7);
        assertThat(queue.pending()).isZero();
        assertThat(queue.reap()).isEqualTo(NvmeQueue.NONE);
    }

    @Test
    void theControllerHearsOfACommandWhenTheDoorbellRings() {
        NvmeQueue queue = controller.createQueue(8);
        DmaBuffer buffer = rig.memory(4096);
        int command = namespace.submitRead(queue, 0, 1, buffer.iova());
        assertThat(queue.pending()).isEqualTo(1);
        assertThat(queue.reap()).isEqualTo(NvmeQueue.NONE);
        assertThat(queue.await()).isEqualTo(command);
        assertThat(queue.status()).isZero();
        assertThat(queue.pending()).isZero();
    }

    @Test
    void aFullQueueTakesNoMore() {
        NvmeQueue queue = controller.createQueue(4);
        DmaBuffer buffer = rig.memory(4096);
        for (int i = 0; i < 3; i++) {
            namespace.submitRead(queue, i, 1, buffer.iova());
        }
        assertThatThrownBy(() -> namespace.submitRead(queue, 3, 1, buffer.iova()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("full");
        for (int i = 0; i < 3; i++) {
            queue.await();
        }
        namespace.submitRead(queue, 3, 1, buffer.iova());
        queue.await();
        assertThat(queue.status()).isZero();
    }

    @Test
    void waitingForNothingIsRefused() {
        NvmeQueue queue = controller.createQueue(4);
        assertThatThrownBy(queue::await).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void everyCommandOfABatchCompletesOnce() {
        NvmeQueue queue = controller.createQueue(64);
        DmaBuffer buffer = rig.memory(4096);
        for (int round = 0; round < 100; round++) {
            List<Integer> submitted = new ArrayList<>();
            while (queue.pending() < queue.capacity()) {
                submitted.add(namespace.submitRead(queue, round, 1, buffer.iova()));
            }
            List<Integer> completed = new ArrayList<>();
            while (queue.pending() > 0) {
                completed.add(queue.await());
                assertThat(queue.status()).isZero();
            }
            assertThat(completed).containsExactlyInAnyOrderElementsOf(submitted).doesNotHaveDuplicates();
        }
    }

    @Test
    void everyCommandOfABatchIsReapedOnceThoughManyAtATime() {
        NvmeQueue queue = controller.createQueue(64);
        DmaBuffer buffer = rig.memory(4096);
        int[] commands = new int[10];
        int[] statuses = new int[10];
        for (int round = 0; round < 100; round++) {
            List<Integer> submitted = new ArrayList<>();
            while (queue.pending() < queue.capacity()) {
                submitted.add(namespace.submitRead(queue, round, 1, buffer.iova()));
            }
            queue.ring();
            List<Integer> completed = new ArrayList<>();
            while (queue.pending() > 0) {
                int reaped = queue.reap(commands, statuses, 10);
                for (int i = 0; i < reaped; i++) {
                    completed.add(commands[i]);
                    assertThat(statuses[i]).isZero();
                }
                queue.ring();
            }
            assertThat(completed).containsExactlyInAnyOrderElementsOf(submitted).doesNotHaveDuplicates();
        }
    }

    @Test
    void aFailureAmongManyHasItsStatus() {
        NvmeQueue queue = controller.createQueue(8);
        DmaBuffer buffer = rig.memory(4096);
        namespace.submitRead(queue, 0, 1, buffer.iova());
        int beyond = namespace.submitRead(queue, namespace.blocks(), 1, buffer.iova());
        queue.ring();
        int[] commands = new int[1];
        int[] statuses = new int[1];
        for (int left = 2; left > 0; ) {
            int reaped = queue.reap(commands, statuses, 1);
            left -= reaped;
            if (reaped > 0) {
                assertThat(statuses[0] != 0).isEqualTo(commands[0] == beyond);
            }
        }
        assertThat(queue.pending()).isZero();
    }

    @Test
    void manyCommandsUnderWayReadWhatWasWritten() {
        System.out.println("seed " + SEED);
        SplittableRandom random = new SplittableRandom(SEED);
        int blocks = 4096;
        long[] expected = new long[blocks];
        NvmeQueue queue = controller.createQueue(32);
        DmaBuffer buffer = rig.memory(32 * 4096);
        long[] blockOf = new long[32];
        boolean[] reading = new boolean[32];
        boolean[] busy = new boolean[blocks];
        int left = 20_000;
        while (left > 0 || queue.pending() > 0) {
            while (left > 0 && queue.pending() < queue.capacity()) {
                int block = random.nextInt(blocks);
                if (busy[block]) {
                    break; // commands on the same block have no order
                }
                busy[block] = true;
                boolean read = random.nextBoolean();
                // The queue hands out identifiers in its own way: each buffer page belongs to a place in this test.
                int page = freePage(blockOf);
                long offset = page * 4096L;
                int command;
                if (read) {
                    buffer.segment().set(JAVA_LONG, offset, ~expected[block]);
                    command = namespace.submitRead(queue, block, 1, buffer.iova() + offset);
                } else {
                    expected[block] = random.nextLong();
                    buffer.segment().set(JAVA_LONG, offset, expected[block]);
                    command = namespace.submitWrite(queue, block, 1, buffer.iova() + offset);
                }
                assertThat(command).isBetween(0, 30);
                pageOf[command] = page;
                blockOf[page] = block + 1;
                reading[page] = read;
                left--;
            }
            int command = queue.await();
            assertThat(queue.status()).isZero();
            int page = pageOf[command];
            int block = (int) blockOf[page] - 1;
            if (reading[page]) {
                assertThat(buffer.segment().get(JAVA_LONG, page * 4096L)).isEqualTo(expected[block]);
            }
            blockOf[page] = 0;
            busy[block] = false;
        }
    }

    private final int[] pageOf = new int[32];

    private static int freePage(long[] blockOf) {
        int page = 0;
        while (blockOf[page] != 0) {
            page++;
        }
        return page;
    }

    @Test
    void queuesOnTwoThreadsDoNotDisturbEachOther() throws InterruptedException {
        List<Throwable> failures = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
            NvmeQueue queue = controller.createQueue(16);
            DmaBuffer buffer = rig.memory(8192);
            int firstBlock = t * 1000;
            threads.add(Thread.ofPlatform()
                    .uncaughtExceptionHandler((_, e) -> {
                        synchronized (failures) {
                            failures.add(e);
                        }
                    })
                    .start(() -> {
                        for (int i = 0; i < 2000; i++) {
                            int block = firstBlock + i % 100;
                            buffer.segment().set(JAVA_LONG, 0, (long) block << 32 | i);
                            namespace.write(queue, block, 1, buffer, 0);
                            namespace.read(queue, block, 1, buffer, 4096);
                            assertThat(buffer.segment().get(JAVA_LONG, 4096)).isEqualTo((long) block << 32 | i);
                        }
                    }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
    }

    @Test
    void warmedUpACommandAllocatesNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        NvmeQueue queue = controller.createQueue(32);
        DmaBuffer buffer = rig.memory(64 << 10);
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 200 && least > 0; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 200; i++) {
                namespace.submitWrite(queue, i, 1, buffer.iova());
                namespace.submitRead(queue, i + 1000, 128, buffer.iova());
                queue.await();
                queue.await();
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(least).isZero();
    }

    @Test
    void everyCommandOfTheLargestRingKeepsItsNamespace() {
        int entries = 1 << 16;
        DmaBuffer memory = rig.memory(8 << 20);
        NvmeQueue queue = new NvmeQueue(controller, new DmaSlices(memory, 4096), 1, entries, 4096, null);
        for (int i = 0; i < queue.capacity(); i++) {
            namespace.submitRead(queue, i, 1, 0x10000);
        }
        for (long entry = 0; entry < queue.capacity(); entry++) {
            long words = memory.segment().get(JAVA_LONG, entry * NvmeQueue.SUBMISSION_BYTES);
            assertThat(words).isEqualTo((long) namespace.id() << 32 | entry << 16 | 2);
        }
        assertThat(queue.pending()).isEqualTo(entries - 1);
    }

    @Test
    void aTransferOfNoBlockOrOfLessIsRefused() {
        NvmeQueue queue = controller.createQueue(4);
        for (int count : new int[] {0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
            assertThatThrownBy(() -> namespace.submitRead(queue, 0, count, 0x10000))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(queue.pending()).isZero();
    }

    @Test
    void aMisalignedOrOverlongTransferIsRefused() {
        NvmeQueue queue = controller.createQueue(4);
        assertThatThrownBy(() -> queue.submit(2, 1, 0x10002, 512, 0, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> queue.submit(2, 1, 0x10000, (512 << 10) + 4, 0, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> queue.submit(2, 1, 0x10000, -1, 0, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(queue.pending()).isZero();
    }
}
