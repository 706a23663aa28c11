package io.github.vfio4j;

/**
 * What {@code VFIO_GROUP_GET_STATUS} says of a group ({@code struct vfio_group_status}).
 *
 * @param viable no member is bound to a host driver. Advisory while {@code containerSet} is false: it can change before
 *     the next call ({@code VFIO_GROUP_FLAGS_VIABLE})
 * @param containerSet the group is in a container ({@code VFIO_GROUP_FLAGS_CONTAINER_SET})
 */
public record GroupStatus(boolean viable, boolean containerSet) {}
