package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Frame;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Container files: version, extensions, SET_IOMMU, and what has to wait for it. */
class SimContainerTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:01:00.0");
    private static final int SPAPR = 2;
    private static final int DMA_CC = 4;
    private static final int NESTING = 6;
    private static final int NOIOMMU = 8;
    private static final int UNMAP_ALL_EXTENSION = 9;
    private static final int UPDATE_VADDR = 10;

    private final RawProcess p = on(KernelProfile.V7_2);

    private static RawProcess on(KernelProfile kernel) {
        return RawProcess.on(
                SimMachine.builder().kernel(kernel).device(DEVICE, new TestModel()).build());
    }

    /** A container with a group, and no IOMMU yet. */
    private static int containerWithGroup(RawProcess p) {
        int container = p.openContainer();
        check(p.setContainer(p.openGroup(0), container));
        return container;
    }

    @Test
    void theVersionIsZero() {
        assertThat(p.ioctl(p.openContainer(), GET_API_VERSION, 0)).isZero();
    }

    @Test
    void anyNumberOfContainersCanBeOpen() {
        assertThat(p.openContainer()).isEqualTo(3);
        assertThat(p.openContainer()).isEqualTo(4);
    }

    // ---- VFIO_CHECK_EXTENSION

    @ParameterizedTest
    @EnumSource
    void bothType1IommusAndUnmapAllAreOffered(KernelProfile kernel) {
        RawProcess q = on(kernel);
        int container = q.openContainer();
        assertThat(q.checkExtension(container, TYPE1)).isEqualTo(1);
        assertThat(q.checkExtension(container, TYPE1V2)).isEqualTo(1);
        assertThat(q.checkExtension(container, UNMAP_ALL_EXTENSION)).isEqualTo(1);
        assertThat(q.checkExtension(container, NESTING)).isEqualTo(kernel == KernelProfile.V7_2 ? 0 : 1);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, SPAPR, 5, 7, NOIOMMU, 11, -1})
    void otherExtensionsAreNot(int extension) {
        assertThat(p.checkExtension(p.openContainer(), extension)).isZero();
        assertThat(p.checkExtension(containerWithGroup(p), extension)).isZero();
    }

    @Test
    void newAddressesAreOfferedOnceThereIsAnIommu() {
        int container = containerWithGroup(p);
        assertThat(p.checkExtension(container, UPDATE_VADDR)).isZero();
        check(p.setIommu(container, TYPE1));
        assertThat(p.checkExtension(container, UPDATE_VADDR)).isEqualTo(1);
    }

    // ---- VFIO_SET_IOMMU

    @Test
    void anEmptyContainerGetsNoIommu() {
        assertThat(p.setIommu(p.openContainer(), TYPE1V2)).isEqualTo(-EINVAL);
    }

    @ParameterizedTest
    @ValueSource(ints = {TYPE1, TYPE1V2})
    void theIommuIsSetOnce(int type) {
        int container = containerWithGroup(p);
        assertThat(p.setIommu(container, type)).isZero();
        assertThat(p.setIommu(container, type)).isEqualTo(-EINVAL);
        assertThat(p.setIommu(container, 99)).isEqualTo(-EINVAL);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, SPAPR, DMA_CC, 5, 7, NOIOMMU, UPDATE_VADDR, 11, 99, -1})
    void aTypeThatNobodyHasIsEnodev(int type) {
        int container = containerWithGroup(p);
        assertThat(p.setIommu(container, type)).isEqualTo(-ENODEV);
        assertThat(p.setIommu(container, TYPE1)).isZero(); // the failed try changed nothing
    }

    @Test
    void anExtensionThatIsNoTypeIsEinval() {
        assertThat(p.setIommu(containerWithGroup(p), UNMAP_ALL_EXTENSION)).isEqualTo(-EINVAL);
    }

    @ParameterizedTest
    @EnumSource
    void nestingIsGoneInNewKernelsAndRefusedByTheIommuInOldOnes(KernelProfile kernel) {
        RawProcess q = on(kernel);
        int expected = kernel == KernelProfile.V7_2 ? ENODEV : EINVAL;
        assertThat(q.setIommu(containerWithGroup(q), NESTING)).isEqualTo(-expected);
    }

    @Test
    void withoutInterruptRemappingTheIommuIsRefused() {
        RawProcess q = RawProcess.on(SimMachine.builder()
                .device(DEVICE, new TestModel())
                .interruptRemapping(false)
                .build());
        int container = containerWithGroup(q);
        assertThat(q.setIommu(container, TYPE1V2)).isEqualTo(-EPERM);
    }

    @Test
    void unlessThatIsWaived() {
        RawProcess q = RawProcess.on(SimMachine.builder()
                .device(DEVICE, new TestModel())
                .interruptRemapping(false)
                .allowUnsafeInterrupts(true)
                .build());
        assertThat(q.setIommu(containerWithGroup(q), TYPE1V2)).isZero();
    }

    @Test
    void anUnprivilegedProcessWithTheGroupMaySetIt() {
        SimMachine machine = SimMachine.builder().device(DEVICE, new TestModel()).build();
        machine.allowGroup(0);
        RawProcess user = new RawProcess(machine.startUnprivilegedProcess());
        int container = containerWithGroup(user);
        assertThat(user.setIommu(container, TYPE1V2)).isZero();
    }

    // ---- before and after SET_IOMMU

    @Test
    void withoutAnIommuEverythingElseIsEinval() {
        int container = containerWithGroup(p);
        for (int request : new int[] {IOMMU_GET_INFO, IOMMU_MAP_DMA, IOMMU_UNMAP_DMA, 0x3b73, 0x3b75, 0, 0x1234}) {
            assertThat(p.ioctl(container, request, 0)).as("request 0x%x", request).isEqualTo(-EINVAL);
        }
    }

    @Test
    void withType1WhatItDoesNotKnowIsEnotty() {
        int container = containerWithGroup(p);
        check(p.setIommu(container, TYPE1V2));
        for (int request : new int[] {GROUP_GET_STATUS, DEVICE_GET_INFO, 0x3b73, 0x3b74, 0x3b76, 0, 0x1234}) {
            assertThat(p.ioctl(container, request, 0)).as("request 0x%x", request).isEqualTo(-ENOTTY);
        }
    }

    @Test
    void aContainerIsNeitherReadNorMapped() {
        int container = p.openContainer();
        assertThat(p.calls.read(new Frame(), container, p.memory(8))).isEqualTo(-EINVAL);
        assertThat(p.pread(container, p.memory(8), 0)).isEqualTo(-EINVAL);
        assertThat(p.pwrite(container, p.memory(8), 0)).isEqualTo(-EINVAL);
        assertThat(p.mmapFile(container, 0, 4096)).isEqualTo(-ENODEV);
    }
}
