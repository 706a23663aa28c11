package io.github.vfio4j.examples.nvme;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.Access;
import io.github.vfio4j.DmaBuffer;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NvmeNamespaceTest {
    private static final long SEED = 11;

    private final Rig rig = new Rig();
    private final NvmeController controller = rig.start();
    private final NvmeNamespace namespace = controller.namespaces().getFirst();
    private final NvmeQueue queue = controller.createQueue(16);

    @AfterEach
    void close() {
        controller.close();
        rig.close();
    }

    @ParameterizedTest(name = "{0} blocks at offset {1}")
    @CsvSource({
        "1, 0", "1, 4", "1, 3584", "1, 3588", "8, 0", "8, 512", "9, 0", "16, 0", "16, 4092", "17, 0", "128, 0",
        "128, 2048", "1000, 100", "1024, 0", "1024, 4092"
    })
    void blocksReadAsTheyWereWritten(int blocks, long offset) {
        System.out.println("seed " + SEED);
        int bytes = blocks * 512;
        DmaBuffer source = rig.memory(bytes + offset);
        DmaBuffer target = rig.memory(bytes + offset + 512);
        byte[] data = new byte[bytes];
        new Random(SEED).nextBytes(data);
        source.segment().asSlice(offset, bytes).copyFrom(MemorySegment.ofArray(data));
        target.segment().fill((byte) 0x55);
        namespace.write(queue, 3, blocks, source, offset);
        namespace.read(queue, 3, blocks, target, offset);
        byte[] found = target.segment().toArray(JAVA_BYTE);
        byte[] expected = new byte[found.length];
        Arrays.fill(expected, (byte) 0x55);
        System.arraycopy(data, 0, expected, (int) offset, bytes);
        assertThat(found).isEqualTo(expected);
        assertThat(rig.machine.faults()).isEmpty();
    }

    @Test
    void aBlockBeyondTheEndIsRefusedInWords() {
        DmaBuffer buffer = rig.memory(4096);
        assertThatThrownBy(() -> namespace.read(queue, namespace.blocks() - 1, 2, buffer, 0))
                .isInstanceOf(NvmeException.class)
                .hasMessage("Read of 2 blocks at block 131071 of namespace 1 failed: LBA Out of Range"
                        + " (status code type 0, generic; status code 0x80; do not retry)")
                .asInstanceOf(InstanceOfAssertFactories.type(NvmeException.class))
                .satisfies(e -> assertThat(e.statusCodeType()).isZero())
                .satisfies(e -> assertThat(e.statusCode()).isEqualTo(0x80));
    }

    @Test
    void afterARefusalTheQueueWorksOn() {
        DmaBuffer buffer = rig.memory(4096);
        assertThatThrownBy(() -> namespace.write(queue, -1, 1, buffer, 0)).isInstanceOf(NvmeException.class);
        namespace.write(queue, 0, 1, buffer, 0);
        assertThat(queue.pending()).isZero();
    }

    @Test
    void theIommuStopsAReadIntoMemoryThatTheDeviceMayOnlyRead() {
        DmaBuffer buffer = rig.device.iommu().allocate(4096, Access.READ);
        assertThatThrownBy(() -> namespace.read(queue, 0, 8, buffer, 0))
                .isInstanceOf(NvmeException.class)
                .hasMessageContaining("Data Transfer Error");
        assertThat(rig.machine.faults()).hasSize(1);
    }

    @ParameterizedTest(name = "{0} blocks at offset {1}")
    @CsvSource({"9, 0", "1, 3588", "8, 4", "1, 4096", "1, -4", "2147483647, 0"})
    void memoryThatEndsTooEarlyIsRefused(int blocks, long offset) {
        DmaBuffer buffer = rig.memory(4096);
        assertThatThrownBy(() -> namespace.read(queue, 0, blocks, buffer, offset))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(queue.pending()).isZero();
    }

    @Test
    void moreThanOneCommandMovesIsRefused() {
        DmaBuffer buffer = rig.memory(1 << 20);
        assertThatThrownBy(() -> namespace.read(queue, 0, 1025, buffer, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("524288 bytes");
        assertThatThrownBy(() -> namespace.read(queue, 0, 0, buffer, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> namespace.submitRead(queue, 0, 1 << 24, buffer.iova()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(queue.pending()).isZero();
    }

    @Test
    void waitingCallsNeedTheQueueForThemselves() {
        DmaBuffer buffer = rig.memory(4096);
        namespace.submitRead(queue, 0, 1, buffer.iova());
        assertThatThrownBy(() -> namespace.read(queue, 0, 1, buffer, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> namespace.flush(queue)).isInstanceOf(IllegalStateException.class);
        queue.await();
        namespace.read(queue, 0, 1, buffer, 0);
    }
}
