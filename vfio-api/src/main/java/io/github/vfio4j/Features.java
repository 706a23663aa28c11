package io.github.vfio4j;

import io.github.vfio4j.spi.DmaBufPort;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.FeaturePort;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

/**
 * What a device can do beyond the rest ({@code VFIO_DEVICE_FEATURE}); from {@link Device#features}. Whether it can is
 * asked of the kernel each time. Safe from any thread.
 *
 * <p>All methods but {@link #has} throw a {@link RuleViolation} if the device or the kernel lacks the feature, or the
 * device is closed.
 */
public final class Features {
    private static final int MOST_RANGES = 256; // LOG_MAX_RANGES: what fits into a page

    private final Device device;
    private final FeaturePort port;
    private boolean lowPower; // guarded by the device's lock

    Features(Device device, FeaturePort port) {
        this.device = device;
        this.port = port;
    }

    /**
     * Asks whether the device has a feature ({@code VFIO_DEVICE_FEATURE_PROBE}).
     *
     * @param feature which
     * @return true if device and kernel have it
     * @throws RuleViolation if the device is closed
     */
    public boolean has(DeviceFeature feature) {
        Objects.requireNonNull(feature, "feature");
        device.checkOpen(Operation.DEVICE_FEATURE);
        return port.has(feature);
    }

    /**
     * Sets the token that opens the virtual functions of this physical one ({@code VFIO_DEVICE_FEATURE_PCI_VF_TOKEN}).
     *
     * @param token the token
     */
    public void setVfToken(UUID token) {
        Objects.requireNonNull(token, "token");
        check(Operation.PCI_VF_TOKEN, DeviceFeature.PCI_VF_TOKEN);
        port.setVfToken(token);
    }

    /**
     * Lets the device go into low power until {@link #exitLowPower} ({@code VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY}). It
     * still answers the program, and wakes for that.
     *
     * @throws RuleViolation if it is in low power already, or one of its regions is mapped: an access would kill the
     *     program then
     */
    public void enterLowPower() {
        device.lock().lock();
        try {
            checkLowPower(DeviceFeature.LOW_POWER_ENTRY);
            port.enterLowPower(null);
            lowPower = true;
        } finally {
            device.lock().unlock();
        }
    }

    /**
     * Lets the device go into low power until something wakes it, be it an access by the program
     * ({@code VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP}). Call {@link #exitLowPower} after it woke.
     *
     * @return what tells that it woke
     * @throws RuleViolation as {@link #enterLowPower}
     */
    public WakeEvent enterLowPowerUntilWoken() {
        device.lock().lock();
        try {
            checkLowPower(DeviceFeature.LOW_POWER_ENTRY_WITH_WAKEUP);
            EventPort event = device.vfio().kernel().openEvent();
            try {
                port.enterLowPower(event);
            } catch (RuntimeException e) {
                event.close();
                throw e;
            }
            lowPower = true;
            return device.keep(new WakeEvent(device, event));
        } finally {
            device.lock().unlock();
        }
    }

    private void checkLowPower(DeviceFeature feature) {
        boolean present = has(feature);
        Rule.check(device.vfio().contract(), Operation.LOW_POWER_ENTRY, new Facts() {
            @Override
            public boolean featureSupported() {
                return present;
            }

            @Override
            public boolean lowPowerEngaged() {
                return lowPower;
            }

            @Override
            public boolean mappedRegionsGoDead() {
                return device.regionsMapped();
            }
        });
    }

    /**
     * Takes the device out of low power ({@code VFIO_DEVICE_FEATURE_LOW_POWER_EXIT}). Does nothing if it is not in it.
     */
    public void exitLowPower() {
        device.lock().lock();
        try {
            check(Operation.LOW_POWER_EXIT, DeviceFeature.LOW_POWER_EXIT);
            port.exitLowPower();
            lowPower = false;
        } finally {
            device.lock().unlock();
        }
    }

    /** Was the device put into low power, and not taken out? The device's lock is held. */
    boolean inLowPower() {
        return lowPower;
    }

    /**
     * Returns what moves the device's state to another machine ({@code VFIO_DEVICE_FEATURE_MIGRATION}).
     *
     * @return the migration of the device
     */
    public Migration migration() {
        check(Operation.MIGRATION, DeviceFeature.MIGRATION);
        return new Migration(device, port, port.migration());
    }

    /**
     * Has the device log what memory it writes ({@code VFIO_DEVICE_FEATURE_DMA_LOGGING_START}).
     *
     * @param pageSize how fine, in bytes; the device may choose smaller pages
     * @param ranges which addresses: 1 to 256 ranges of whole pages that do not overlap
     * @return the log
     * @throws RuleViolation besides, if the ranges are not such
     * @throws VfioException what the device's driver fails with
     */
    public DmaLogging startDmaLogging(long pageSize, List<IovaRange> ranges) {
        List<IovaRange> logged = Given.elements(ranges, "ranges");
        if (pageSize <= 0 || Long.bitCount(pageSize) != 1) {
            throw new IllegalArgumentException("a page of " + pageSize + " bytes is no power of two");
        }
        device.lock().lock();
        try {
            boolean present = has(DeviceFeature.DMA_LOGGING_START);
            Rule.check(device.vfio().contract(), Operation.DMA_LOGGING_START, new Facts() {
                @Override
                public boolean featureSupported() {
                    return present;
                }

                @Override
                public long loggedRanges() {
                    return logged.size();
                }

                @Override
                public long loggedRangesMost() {
                    return MOST_RANGES;
                }

                @Override
                public boolean loggedRangesAligned() {
                    return logged.stream().allMatch(range -> ((range.first() | range.last() + 1) & pageSize - 1) == 0);
                }

                @Override
                public boolean loggedRangesWrap() {
                    return logged.stream().anyMatch(range -> range.last() == -1);
                }

                @Override
                public boolean loggedRangesOverlap() {
                    return overlap(logged);
                }
            });
            return device.keep(new DmaLogging(device, port.startDmaLogging(pageSize, logged)));
        } finally {
            device.lock().unlock();
        }
    }

    private static boolean overlap(List<IovaRange> ranges) {
        List<IovaRange> sorted = ranges.stream()
                .sorted(Comparator.comparing(IovaRange::first, Long::compareUnsigned))
                .toList();
        for (int i = 1; i < sorted.size(); i++) {
            if (Long.compareUnsigned(sorted.get(i).first(), sorted.get(i - 1).last()) <= 0) {
                return true;
            }
        }
        return false;
    }

    /**
     * Turns the device's access to memory on or off where no configuration space has a bit for it, as on the CDX bus
     * ({@code VFIO_DEVICE_FEATURE_BUS_MASTER}; since Linux 6.6). Of a PCI device use {@link PciConfig#enableBusMaster}.
     *
     * @param on whether it may access memory
     */
    public void setBusMaster(boolean on) {
        check(Operation.BUS_MASTER, DeviceFeature.BUS_MASTER);
        port.setBusMaster(on);
    }

    /**
     * Shares parts of a BAR with other drivers ({@code VFIO_DEVICE_FEATURE_DMA_BUF}; since Linux 6.19).
     *
     * @param region the BAR
     * @param parts whole pages of it, at least one part
     * @return the dma-buf
     * @throws RuleViolation besides, if the region is no BAR or the parts are not such
     * @throws IllegalArgumentException if the region is another device's
     * @throws VfioException {@code EOPNOTSUPP} if the device's memory cannot be shared
     */
    public DmaBuf exportDmaBuf(Region region, List<RegionInfo.Area> parts) {
        Objects.requireNonNull(region, "region");
        if (!region.isOf(device)) {
            throw new IllegalArgumentException(
                    "region " + region.info().index() + " is another device's, not one of " + device.name());
        }
        List<RegionInfo.Area> shares = Given.elements(parts, "parts");
        long page = device.vfio().kernel().pageSize();
        RegionInfo info = region.info();
        device.lock().lock();
        try {
            boolean present = has(DeviceFeature.DMA_BUF);
            Rule.check(device.vfio().contract(), Operation.DMA_BUF, new Facts() {
                @Override
                public boolean featureSupported() {
                    return present;
                }

                @Override
                public long sharedParts() {
                    return shares.size();
                }

                @Override
                public boolean sharedBarPresent() {
                    return device.isBar(info) && info.size() > 0;
                }

                @Override
                public boolean sharedPartsAligned() {
                    return shares.stream().allMatch(part -> part.size() > 0 && (part.offset() | part.size()) % page == 0);
                }

                @Override
                public boolean sharedPartsWrap() { // where the BAR is in the machine we do not know: more may wrap there
                    return info.mappable()
                            && outside()
                                    .filter(part -> Long.compareUnsigned(part.offset() + part.size(), part.offset()) < 0)
                                    .isPresent();
                }

                @Override
                public boolean sharedPartsInside() {
                    return outside().isEmpty();
                }

                private Optional<RegionInfo.Area> outside() {
                    RegionInfo.Area whole = new RegionInfo.Area(0, info.mappable() ? info.size() : 0);
                    return shares.stream()
                            .filter(part -> !whole.contains(part.offset(), part.size()))
                            .findFirst();
                }
            });
            DmaBufPort shared = port.exportDmaBuf(info.index(), shares);
            return device.keep(new DmaBuf(device, shared));
        } finally {
            device.lock().unlock();
        }
    }

    /** Refuses what the device lacks. */
    void check(Operation operation, DeviceFeature feature) {
        boolean present = has(feature);
        Rule.check(device.vfio().contract(), operation, new Facts() {
            @Override
            public boolean featureSupported() {
                return present;
            }
        });
    }
}
