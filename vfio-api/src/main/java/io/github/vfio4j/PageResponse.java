package io.github.vfio4j;

/** How a program answers a group of page faults ({@code enum iommufd_page_response_code}). */
public enum PageResponse {
    /** What was missing is there now: the device tries again ({@code IOMMUFD_PAGE_RESP_SUCCESS}). */
    SUCCESS,
    /** It will not be there: the device gives up ({@code IOMMUFD_PAGE_RESP_INVALID}). */
    INVALID
}
