package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Every check of the kernel on the way of containers, groups and type1 has its rule, or a reason why it has none. */
class KernelChecksTest {
    private static final Pattern CHECK =
            Pattern.compile("(?<id>[A-Z]+\\d+( A\\d+)?) (?<when>[^:]*?)(: (?<rules>[a-z0-9.,\\- ]+)| - (?<why>.+))");
    private static final Set<Operation> OPERATIONS = EnumSet.of(
            Operation.OPEN_CONTAINER,
            Operation.SET_IOMMU,
            Operation.OPEN_GROUP,
            Operation.GROUP_GET_STATUS,
            Operation.GROUP_SET_CONTAINER,
            Operation.GROUP_GET_DEVICE_FD,
            Operation.GROUP_UNSET_CONTAINER,
            Operation.IOMMU_GET_INFO,
            Operation.IOMMU_MAP_DMA,
            Operation.IOMMU_UNMAP_DMA,
            Operation.IOMMU_DIRTY_PAGES,
            Operation.DEVICE_GET_IRQ_INFO,
            Operation.DEVICE_SET_IRQS,
            Operation.REGION_READ,
            Operation.REGION_WRITE,
            Operation.REGION_MAP,
            Operation.OPEN_DEVICE,
            Operation.DEVICE_BIND_IOMMUFD,
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            Operation.DEVICE_DETACH_IOMMUFD_PT,
            Operation.OPEN_IOMMUFD,
            Operation.IOMMU_DESTROY,
            Operation.IOAS_ALLOC,
            Operation.IOAS_ALLOW_IOVAS,
            Operation.IOAS_IOVA_RANGES,
            Operation.IOAS_MAP,
            Operation.IOAS_COPY,
            Operation.IOAS_MAP_FILE,
            Operation.IOAS_UNMAP,
            Operation.IOMMU_OPTION,
            Operation.IOMMU_VFIO_IOAS,
            Operation.HWPT_ALLOC,
            Operation.VIOMMU_ALLOC,
            Operation.VDEVICE_ALLOC,
            Operation.VEVENTQ_ALLOC,
            Operation.HW_QUEUE_ALLOC,
            Operation.FAULT_QUEUE_ALLOC,
            Operation.FAULT_QUEUE_READ,
            Operation.FAULT_QUEUE_WRITE,
            Operation.GET_HW_INFO,
            Operation.HWPT_SET_DIRTY_TRACKING,
            Operation.HWPT_GET_DIRTY_BITMAP,
            Operation.COMPAT_CHECK_EXTENSION,
            Operation.COMPAT_SET_IOMMU,
            Operation.COMPAT_GET_INFO,
            Operation.COMPAT_MAP_DMA,
            Operation.COMPAT_UNMAP_DMA);

    private final List<String> lines = lines();

    private static List<String> lines() {
        try (InputStream file = KernelChecksTest.class.getResourceAsStream("kernel-checks.txt")) {
            return new String(file.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .toList();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private Set<String> rulesNamed() {
        Set<String> named = new TreeSet<>();
        for (String line : lines) {
            Matcher check = CHECK.matcher(line);
            if (check.matches() && check.group("rules") != null) {
                named.addAll(List.of(check.group("rules").split(", ")));
            }
        }
        return named;
    }

    @Test
    void everyCheckHasARuleOrAReason() {
        assertThat(lines).isNotEmpty().allMatch(line -> CHECK.matcher(line).matches());
    }

    @Test
    void everyRuleThatIsNamedIsOne() {
        assertThat(Arrays.stream(Rule.values()).map(Rule::id)).containsAll(rulesNamed());
    }

    @Test
    void everyRuleOfTheseOperationsStatesACheck() {
        assertThat(Arrays.stream(Rule.values())
                        .filter(rule -> rule.operation().isPresent()
                                && OPERATIONS.contains(rule.operation().get()))
                        .map(Rule::id))
                .allMatch(rulesNamed()::contains);
    }
}
