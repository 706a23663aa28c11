package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class VfioExceptionTest {
    @Test
    void aRefusalOfTheKernelSaysOperationErrnoMeaningAndNextStep() {
        VfioException refusal = new VfioException(Operation.GROUP_GET_STATUS, Errno.ENODEV, "/dev/vfio/26");
        assertThat(refusal).hasMessage("""
                VFIO_GROUP_GET_STATUS failed with ENODEV (19): /dev/vfio/26
                  means    the last device of the group was bound away from its VFIO driver; this handle never revives
                  next     close the group, bind the device to vfio-pci and open the group again""");
        assertThat(refusal.operation()).isEqualTo(Operation.GROUP_GET_STATUS);
        assertThat(refusal.errno()).isEqualTo(Errno.ENODEV);
        assertThat(refusal.rule()).contains(Rule.STATUS_GROUP_EXISTS);
    }

    @Test
    void anErrnoWithSeveralPossibleMeaningsNamesThemAllAndNoSingleRule() {
        VfioException refusal = new VfioException(Operation.GROUP_SET_CONTAINER, Errno.EPERM, "/dev/vfio/26");
        assertThat(refusal.getMessage()).contains("host driver").contains("interrupt remapping");
        assertThat(refusal.rule()).isEmpty();
    }

    @Test
    void anErrnoOfAnOlderKernelIsExplainedToo() {
        VfioException refusal = new VfioException(Operation.IOMMU_MAP_DMA, Errno.EINVAL, "container");
        assertThat(refusal.getMessage()).contains("wraps around the end of the address space");
    }

    @Test
    void anErrnoThatNoRuleExplainsIsNamedAndSaysWhatToDoNext() {
        VfioException refusal = new VfioException(Operation.DEVICE_RESET, Errno.EIO, "0000:00:04.0");
        assertThat(refusal).hasMessage("""
                        VFIO_DEVICE_RESET failed with EIO (5): 0000:00:04.0
                          next     look at the kernel's log (dmesg): the device may be unplugged, without power or broken""");
    }

    @Test
    void aDetailFoundAfterwardsIsAddedAndTheRestStays() {
        VfioException refusal = new VfioException(Operation.DEVICE_RESET, Errno.EAGAIN, "0000:00:04.0");
        VfioException more = refusal.withDetail("a sibling");
        assertThat(more.getMessage()).startsWith(refusal.getMessage()).endsWith("found    a sibling");
        assertThat(more.getStackTrace()).isEqualTo(refusal.getStackTrace());
    }

    @Test
    void aRuleViolationSaysWhatTheKernelWouldAnswerAndWhatToDoInstead() {
        RuleViolation violation = new RuleViolation(Rule.SET_IOMMU_NEEDS_GROUP, Operation.SET_IOMMU, "");
        assertThat(violation).hasMessage("""
                VFIO_SET_IOMMU refused before the call: the container holds no group
                  rule     set-iommu.needs-group (the kernel would answer EINVAL (22); vfio_ioctl_set_iommu)
                  instead  attach a group first: container.attach(group)""");
        assertThat(violation.rule()).contains(Rule.SET_IOMMU_NEEDS_GROUP);
        assertThat(violation.errno()).isEqualTo(Errno.EINVAL);
    }

    @Test
    void aRuleAboutEveryOperationNamesTheOneThatWasAskedFor() {
        RuleViolation violation = new RuleViolation(Rule.HANDLE_OPEN, Operation.DEVICE_RESET, "0000:00:04.0");
        assertThat(violation.operation()).isEqualTo(Operation.DEVICE_RESET);
        assertThat(violation.getMessage()).startsWith("VFIO_DEVICE_RESET refused").contains("0000:00:04.0");
    }
}
