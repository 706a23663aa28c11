package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceFeature;
import io.github.vfio4j.DmaLogging;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.spi.ContainerPort;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.Kernel;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The log of what a device writes: that of the kernel's sample device mtty, which writes no memory. */
class DmaLoggingKernelTest extends KernelTest {
    private static final long PAGE = 4096;
    private static final IovaRange ALL = new IovaRange(0, 16 * PAGE - 1);

    private UUID mtty;

    @BeforeEach
    void makeMtty() {
        mtty = machine.mediatedDevice().orElse(null);
        assumeTrue(mtty != null, "this kernel has no mtty");
    }

    @Test
    void theLogOfADeviceThatWritesNothingIsEmpty() {
        Group group = vfio.openGroup(vfio.groupOf(mtty).orElseThrow());
        Container container = vfio.openContainer();
        container.attach(group);
        Device device = container.setIommu(IommuType.TYPE1_V2).openDevice(group, mtty);
        assertThat(device.features().has(DeviceFeature.DMA_LOGGING_STOP)).isTrue();
        assertThat(device.features().has(DeviceFeature.DMA_LOGGING_REPORT)).isTrue();
        for (int times = 0; times < 2; times++) {
            try (DmaLogging log = device.features().startDmaLogging(PAGE, List.of(ALL))) {
                assertThat(log.pageSize()).isEqualTo(PAGE);
                assertThat(log.report(0, 16 * PAGE).dirtyPages()).isZero();
                assertThat(log.report(4 * PAGE, PAGE).dirtyPages()).isZero();
            }
        }
    }

    @Test
    void aLogIsOfSomething() {
        assertRefusedHereAndThere(Rule.DMA_LOGGING_RANGES, List.of());
    }

    @Test
    void aLogIsOfNoMoreRangesThanFitIntoAPage() {
        assertRefusedHereAndThere(
                Rule.DMA_LOGGING_MOST,
                IntStream.rangeClosed(0, 256).mapToObj(i -> page(2 * i)).toList());
    }

    @Test
    void aLogIsOfWholePages() {
        assertRefusedHereAndThere(Rule.DMA_LOGGING_ALIGNED, List.of(new IovaRange(0, PAGE), page(2)));
        assertRefusedHereAndThere(Rule.DMA_LOGGING_ALIGNED, List.of(new IovaRange(-PAGE + 1, -1)));
    }

    @Test
    void aLogEndsBeforeTheAddressSpaceDoes() {
        assertRefusedHereAndThere(Rule.DMA_LOGGING_WRAP, List.of(page(1), new IovaRange(-PAGE, -1)));
        assertRefusedHereAndThere(
                Rule.DMA_LOGGING_WRAP, List.of(new IovaRange(-2 * PAGE, -PAGE - 1), new IovaRange(-2 * PAGE, -1)));
    }

    @Test
    void theRangesOfALogAreApart() {
        assertRefusedHereAndThere(Rule.DMA_LOGGING_OVERLAP, List.of(ALL, page(15)));
        assertRefusedHereAndThere(Rule.DMA_LOGGING_OVERLAP, List.of(page(15), page(3), ALL));
    }

    private static IovaRange page(long number) {
        return new IovaRange(number * PAGE, (number + 1) * PAGE - 1);
    }

    /** The library refuses it, and the kernel, past the library, with the same errno. */
    private void assertRefusedHereAndThere(Rule rule, List<IovaRange> ranges) {
        try (Container container = vfio.openContainer();
                Group group = vfio.openGroup(vfio.groupOf(mtty).orElseThrow())) {
            container.attach(group);
            Device device = container.setIommu(IommuType.TYPE1_V2).openDevice(group, mtty);
            assertRefused(rule, () -> device.features().startDmaLogging(PAGE, ranges));
        }
        Kernel kernel = machine.kernel();
        ContainerPort container = kernel.openContainer();
        GroupPort group = kernel.openGroup("/dev/vfio/" + vfio.groupOf(mtty).orElseThrow());
        group.setContainer(container);
        container.setIommu(IommuType.TYPE1_V2.number());
        DevicePort device = group.openDevice(mtty.toString(), null);
        try {
            VfioException e =
                    catchThrowableOfType(VfioException.class, () -> device.features().startDmaLogging(PAGE, ranges));
            assertThat(e.errno()).isEqualTo(rule.errno());
        } finally {
            device.close();
            group.close();
            container.close();
        }
    }
}
