package io.github.vfio4j;

/**
 * What a virtual IOMMU has to tell its guest; from a {@link VirtualEventQueue}. Events are numbered from 0 to
 * {@code Integer.MAX_VALUE} and from 0 again: a gap between two numbers is as many events that were lost.
 */
public sealed interface VirtualEvent {
    /**
     * Returns the number of the event ({@code iommufd_vevent_header.sequence}).
     *
     * @return the number
     */
    int sequence();

    /**
     * Events were lost because the queue was full, and none came after them ({@code IOMMU_VEVENTQ_FLAG_LOST_EVENTS}).
     *
     * @param sequence the number of the last one that was lost
     */
    record Lost(int sequence) implements VirtualEvent {}

    /**
     * An event record of Arm's SMMUv3 ({@code iommu_vevent_arm_smmuv3}). Its StreamID is the guest's, as
     * {@link Viommu#addDevice} was told.
     *
     * @param sequence the number of the event
     * @param word0 its first double word
     * @param word1 its second
     * @param word2 its third
     * @param word3 its fourth
     */
    record ArmSmmuV3(int sequence, long word0, long word1, long word2, long word3) implements VirtualEvent {}

    /**
     * Which of Tegra241's command queues have an error ({@code iommu_vevent_tegra241_cmdqv}).
     *
     * @param sequence the number of the event
     * @param queues0 a bit for each of the queues 0 to 63
     * @param queues64 a bit for each of the queues 64 to 127
     */
    record Tegra241Cmdqv(int sequence, long queues0, long queues64) implements VirtualEvent {}
}
